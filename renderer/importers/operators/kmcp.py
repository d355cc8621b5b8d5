"""kmcp's MCPServer, kagent.dev/v1alpha1: ``spec.deployment`` holds pod and container."""

from __future__ import annotations

from renderer.errors import DocumentPath
from renderer.importers.draft import END, Reading, plain_text
from renderer.importers.images import set_image
from renderer.importers.manifests.containers import read_resources
from renderer.importers.manifests.objects import read_annotations, read_labels
from renderer.importers.manifests.pods import read_pod, read_security
from renderer.importers.manifests.volumes import read_volumes
from renderer.importers.operators.resource import Resource
from renderer.importers.variables import Variable, literal, set_variable

_SPEC: DocumentPath = ("spec",)
_DEPLOYMENT: DocumentPath = ("spec", "deployment")
#: Commands for which kmcp has an image.
_RUNNERS = ("uvx", "npx")


def read_server(resource: Resource) -> None:
    reading = resource.reading
    resource.read_metadata()
    image = reading.text(*_DEPLOYMENT, "image")
    command = reading.text(*_DEPLOYMENT, "cmd")
    if image:
        set_image(reading, (*_DEPLOYMENT, "image"), image)
    elif command not in _RUNNERS:
        hint = "write spec.deployment.image"
        reading.refuse(_DEPLOYMENT, "import/image", "neither an image nor uvx or npx is named", hint)
    _transport(reading)
    if command:
        reading.map((*_DEPLOYMENT, "cmd"), ("spec", "command"), [literal(command)])
    for path, item in reading.items(*_DEPLOYMENT, "args"):
        reading.map(path, ("spec", "args", END), literal(plain_text(item)))
    _environment(resource)
    read_volumes(reading, _DEPLOYMENT, _DEPLOYMENT, resource.known)
    read_resources(reading, _DEPLOYMENT, _SPEC)
    if reading.mapping(*_DEPLOYMENT, "securityContext"):
        read_security(reading, _DEPLOYMENT, _DEPLOYMENT)
    resource.read_ids((*_DEPLOYMENT, "podSecurityContext"), _DEPLOYMENT)
    read_pod(reading, _DEPLOYMENT, "Deployment")
    _rest(resource)
    resource.start(image, reading.text("spec", "transportType") != "http")
    if not image and "package" not in reading.spec and not reading.problems:
        message = f"{command} runs a package without an exact version"
        hint = "write it as NAME@VERSION (npx) or NAME==VERSION (uvx), with an exact version"
        reading.refuse((*_DEPLOYMENT, "args"), "import/package", message, hint)


def _environment(resource: Resource) -> None:
    reading = resource.reading
    for name, value in reading.mapping(*_DEPLOYMENT, "env").items():
        variable = Variable(name, default=plain_text(value), required=True)
        set_variable(reading, (*_DEPLOYMENT, "env", name), variable, resource.server)
    for path, _ in reading.items(*_DEPLOYMENT, "secretRefs"):
        reading.map(path, ("spec", "envFrom", END), {"secret": reading.text(*path, "name")})
    for path, _ in reading.items(*_DEPLOYMENT, "configMapRefs"):
        name = reading.text(*path, "name")
        reading.map(path, ("spec", "files", f"/configmaps/{name}"), {"configMap": name})


def _transport(reading: Reading) -> None:
    target: DocumentPath = ("spec", "transport")
    http: DocumentPath = ("spec", "httpTransport")
    speaks_http = reading.text("spec", "transportType") == "http"
    reading.map(("spec", "transportType"), (*target, "type"), "streamable-http" if speaks_http else "stdio")
    reading.note(("spec", "stdioTransport"), (*target, "type"))
    own, port = reading.get(*http, "targetPort") if speaks_http else None, (*_DEPLOYMENT, "port")
    if own is None:
        reading.carry(port, (*target, "port"))
    else:
        reading.map((*http, "targetPort"), (*target, "port"), own)
        if own == reading.get(*port):
            reading.note(port, (*target, "port"))
        else:
            reading.carry(port, ("spec", "service", "port"))
    if speaks_http:
        reading.carry_text((*http, "path"), (*target, "path"))
    reading.lose((*http, "tls"), "a spec has http behind the Service, and no TLS")


def _rest(resource: Resource) -> None:
    reading = resource.reading
    for key in ("replicas", "imagePullPolicy"):
        reading.carry((*_DEPLOYMENT, key), ("spec", key))
    resource.read_account((*_DEPLOYMENT, "serviceAccountName"))
    account: DocumentPath = ("serviceAccount", "annotations")
    for key in reading.mapping(*_DEPLOYMENT, *account):
        reading.carry((*_DEPLOYMENT, *account, key), ("spec", *account, key))
    read_labels(reading, (*_DEPLOYMENT, "labels"))
    read_annotations(reading, (*_DEPLOYMENT, "annotations"), ("spec", "annotations", "Pod"))
    reading.lose_all(["initContainer"], "mcpctl brings its own bridge", _DEPLOYMENT)
    reading.lose_all(["timeout"], "clients have time-outs of their own", _SPEC)
    reading.lose_each({"sidecars": "further containers: write them under spec.sidecars"}, _DEPLOYMENT)
