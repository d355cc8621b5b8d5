"""What a server becomes in a compose file, piece by piece, and that no text is changed on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer import pins
from renderer.model import JSON, Source
from renderer.quantity import cpus, memory, tmpfs_size
from renderer.resolve import resolve
from renderer.targets.compose import TARGET
from renderer.targets.compose.names import literal
from renderer.variables import as_literal
from tests.oracles import compose_read, yaml_read
from tests.specs import HTTP, IMAGE, NPM, OPTIONS, PYPI, spec, texts

STREAM = OPTIONS._replace(one_stream=True)
VOLUME: dict[str, JSON] = {"name": "data", "size": "1Gi", "mountPath": "/data"}
SOURCE = f"https://example.com/a.git#{'a' * 40}:sub"
GATEWAY: JSON = {"host.docker.internal": "host-gateway"}
ANY: JSON = {"aliases": ["mcp-demo.server"]}
HOST_PATH: JSON = {"rule": "policy/host-path", "reason": "my own machine"}
STDIO: dict[str, JSON] = {"image": IMAGE, "command": ["/bin/server"]}
COMPLETED = {"condition": "service_completed_successfully"}


def project(metadata: dict[str, JSON] | None = None, /, **fields: JSON) -> Any:
    return yaml_read(texts("compose", spec("demo", metadata, **fields))["demo/compose.yaml"])


def service(**fields: JSON) -> Any:
    return project(**fields)["services"]["mcp-demo"]


@pytest.mark.parametrize(
    ("policy", "expected"), [("Always", "always"), ("IfNotPresent", "missing"), ("Never", "never")]
)
def test_the_pull_policy(policy: str, expected: str) -> None:
    assert service(imagePullPolicy=policy)["pull_policy"] == expected


def test_a_memory_limit_without_a_cpu_limit() -> None:
    resources = service(resources={"limits": {"cpu": None, "memory": "1Gi"}})["deploy"]["resources"]
    assert resources["limits"] == {"memory": "1G", "pids": 1024}


def test_the_working_folder() -> None:
    assert service(workingDir="/app")["working_dir"] == "/app"


def test_the_smallest_service() -> None:
    assert service() == {
        "image": IMAGE,
        "init": True,
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "user": "1000:1000",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:uid=1000,gid=1000,mode=1777,size=64m"],
        "deploy": {
            "resources": {
                "limits": {"cpus": "0.5", "memory": "512M", "pids": 1024},
                "reservations": {"memory": "128M"},
            },
        },
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "ports": [{"target": 8080, "published": "24596", "host_ip": "127.0.0.1", "protocol": "tcp"}],
        "networks": {"mcpctl-network": {}},
        "labels": {
            "app.kubernetes.io/name": "mcp-demo",
            "app.kubernetes.io/component": "mcp-server",
            "app.kubernetes.io/managed-by": "mcpctl",
            "app.kubernetes.io/part-of": "mcp",
            "mcpctl.io/managed": "true",
            "mcpctl.io/server": "demo",
        },
    }


@pytest.mark.parametrize(
    ("fields", "field", "expected"),
    [
        ({"command": ["/a", "$b"], "args": ["$c"]}, "entrypoint", ["/a", "$$b"]),
        ({"args": ["$c"]}, "command", ["$$c"]),
        ({"args": ["$c"]}, "entrypoint", None),
        ({"replicas": 3}, "ports", [{"target": 8080, "host_ip": "127.0.0.1", "protocol": "tcp"}]),
        ({"env": {"A": "$b"}}, "environment", {"A": "$$b"}),
        ({"env": {"A": {"secret": "s", "key": "k"}}}, "environment", {"A": "${S_K:?key k of secret s}"}),
        ({"env": {"A": {"configMap": "c", "key": "k", "optional": True}}}, "environment", {"A": "${C_K:-}"}),
        (
            {"envFrom": [{"secret": "s"}, {"configMap": "s", "optional": True}]},
            "env_file",
            [
                {"path": "./env/secrets/s.env", "required": True, "format": "raw"},
                {"path": "./env/configmaps/s.env", "required": False, "format": "raw"},
            ],
        ),
        ({"security": {"runAsUser": 5, "runAsGroup": 6, "fsGroup": 6}}, "user", "5:6"),
        ({"security": {"runAsUser": 5, "runAsGroup": 6, "fsGroup": 6}}, "group_add", None),
        ({"security": {"fsGroup": 7}}, "group_add", ["7"]),
        ({"security": {"readOnlyRootFilesystem": False}}, "read_only", False),
        (
            {"security": {"writablePaths": [{"path": "/a b", "size": "1500001"}, "/var/tmp"]}},
            "tmpfs",
            ["/a b:uid=1000,gid=1000,mode=0700,size=1500001", "/var/tmp:uid=1000,gid=1000,mode=1777,size=64m"],
        ),
        ({"security": {"writablePaths": []}}, "tmpfs", None),
        ({"security": {"writablePaths": [{"path": "/dev/shm", "size": "1Gi"}]}}, "shm_size", "1G"),
        ({"security": {"writablePaths": [{"path": "/dev/shm", "size": "1Gi"}]}}, "tmpfs", None),
        ({}, "shm_size", None),
        ({"health": {"enabled": False}}, "healthcheck", {"disable": True}),
        (
            {"health": {"command": ["/c", "$x"], "periodSeconds": 1, "timeoutSeconds": 2, "startupSeconds": 0}},
            "healthcheck",
            {"test": ["CMD", "/c", "$$x"], "interval": "1s", "timeout": "2s", "retries": 3, "start_period": "0s"},
        ),
        ({"health": {"path": "/h"}}, "healthcheck", None),
        ({**STDIO, "transport": {"bridge": "none"}}, "stdin_open", True),
        ({**STDIO, "transport": {"bridge": "none"}}, "ports", None),
        ({**STDIO, "transport": {"bridge": "none"}, "network": {"egress": {}}}, "network_mode", "none"),
        (
            {"network": {"publish": {"address": "::1", "port": 1234}}},
            "ports",
            [{"target": 8080, "published": "1234", "host_ip": "::1", "protocol": "tcp"}],
        ),
        ({"network": {"egress": {}}}, "networks", {"mcp-demo.internal": {"aliases": ["mcp-demo.server"]}}),
        ({"network": {"egress": {}}}, "ports", None),
        ({"network": {"publish": False}}, "ports", None),
        ({"network": {"publish": False}, "replicas": 2}, "ports", None),
        (
            {"storage": [VOLUME]},
            "volumes",
            [{"type": "volume", "source": "mcp-demo.data", "target": "/data", "volume": {"nocopy": True}}],
        ),
        ({"storage": [VOLUME]}, "depends_on", {"mcp-demo.prepare": COMPLETED}),
        (
            {"storage": [{**VOLUME, "readOnly": True}]},
            "volumes",
            [
                {
                    "type": "volume",
                    "source": "mcp-demo.data",
                    "target": "/data",
                    "read_only": True,
                    "volume": {"nocopy": True},
                }
            ],
        ),
        (
            {"storage": [{"name": "n", "hostPath": "./a $b", "mountPath": "/n"}], "accept": [HOST_PATH]},
            "volumes",
            [{"type": "bind", "source": "./a $$b", "target": "/n", "bind": {"create_host_path": False}}],
        ),
        (
            {"storage": [{"name": "n", "hostPath": "~/n", "mountPath": "/n"}], "accept": [HOST_PATH]},
            "depends_on",
            None,
        ),
        ({"compose": {"build": {"context": "../$src"}}, "accept": [HOST_PATH]}, "build", {"context": "../$$src"}),
        ({"compose": {"build": {"context": SOURCE}}}, "pull_policy", "build"),
        ({"compose": {"networks": ["web", "a.b"]}}, "networks", {"mcpctl-network": {}, "web": {}, "a.b": {}}),
        ({"compose": {"networks": ["web"]}, "network": {"egress": {}}}, "networks", {"mcp-demo.internal": ANY}),
        ({"network": {"hostAliases": {"a": "10.0.0.5", "b.c": "::1"}}}, "extra_hosts", {"a": "10.0.0.5", "b.c": "::1"}),
        ({"network": {"hostAliases": {"host.docker.internal": "host-gateway"}}}, "extra_hosts", GATEWAY),
        ({"compose": {"build": {"context": SOURCE}}, "imagePullPolicy": "IfNotPresent"}, "pull_policy", "missing"),
        (
            {"compose": {"build": {"context": SOURCE, "dockerfile": "D", "target": "t", "args": {"A": "1"}}}},
            "build",
            {"context": SOURCE, "dockerfile": "D", "target": "t", "args": {"A": "1"}},
        ),
        ({"files": {"/a/B": {"content": ""}}}, "configs", [{"source": "mcp-demo.b", "target": "/a/B"}]),
        ({"files": {"/a": {"configMap": "c", "key": "k"}}}, "configs", [{"source": "c_k", "target": "/a"}]),
        ({"files": {"/a": {"secret": "s", "key": "k.x"}}}, "secrets", [{"source": "s_k.x", "target": "/a"}]),
    ],
    ids=str,
)
def test_a_field_of_the_service(fields: dict[str, JSON], field: str, expected: JSON) -> None:
    assert service(**fields).get(field) == expected


@pytest.mark.parametrize(
    ("folder", "env", "runs"),
    [
        ({"path": "/plugins", "exec": True}, {}, True),
        ({"path": "/.npm", "exec": False}, {}, False),
        ({"path": "/plugins"}, {}, False),
        ("/tmp", {}, False),
        ("/tmp", {"HOME": "/tmp"}, True),
        ("/tmp", {"UV_CACHE_DIR": "/tmp/uv"}, True),
        ("/tmp", {"npm_config_cache": "/tmp"}, True),
        ("/tmp", {"HOME": "/tmpfs", "UV_CACHE_DIR": {"secret": "s", "key": "k"}}, False),
        ("/.npm", {}, True),
        ("/home/node", {}, True),
        ("/home/node/data", {}, False),
        ("/home/node/.cache/uv", {}, True),
        ("/root", {}, True),
    ],
    ids=str,
)
def test_programs_run_from_the_folders_of_package_managers(folder: JSON, env: dict[str, JSON], runs: bool) -> None:
    (mount,) = service(security={"writablePaths": [folder]}, env=env)["tmpfs"]
    assert mount.endswith(",exec") is runs


PORTED = {"type": "streamable-http", "port": 8000}


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({}, True),
        ({"env": {"GRAFANA_URL": "http://grafana:8000", "PORT_NAME": "x", "N": "18000"}, "transport": PORTED}, True),
        ({"args": ["--read-only"]}, False),
        ({"command": ["node", "server.js"]}, False),
        (STDIO, False),
        ({"image": IMAGE, "transport": {"type": "stdio", "bridge": "none"}}, False),
        ({"package": {"registry": "npm", "name": "x", "version": "1.0.0"}, "transport": PORTED}, False),
        *(
            ({"env": {"A": value}, "transport": PORTED}, False)
            for value in ("8000", ":8000", "0.0.0.0:8000", "[::]:8000", "http://+:8000", "tcp://0.0.0.0:8000")
        ),
        ({"env": {"MCP_PORT": {"configMap": "c", "key": "k"}}}, False),
        ({"health": {"enabled": False}}, False),
    ],
    ids=str,
)
def test_the_images_own_check_stays_where_the_image_starts_as_it_was_built(
    fields: dict[str, JSON], stays: bool
) -> None:
    fields = {"health": {"mcp": False}, **fields} if "package" in fields else fields
    assert service(**fields).get("healthcheck") == (None if stays else {"disable": True})


@pytest.mark.parametrize(("replicas", "expected"), [(0, 0), (1, None), (3, 3)])
def test_replicas(replicas: int, expected: int | None) -> None:
    assert service(replicas=replicas)["deploy"].get("replicas") == expected


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("512Mi", "512M"),
        ("1Gi", "1G"),
        ("1.5Gi", "1536M"),
        ("512M", "512000000"),
        ("1k", "1000"),
        ("7Mi", "7M"),
        ("1.001Ki", "1026"),
        ("2Ti", "2048G"),
    ],
)
def test_memory(quantity: str, expected: str) -> None:
    assert memory(quantity) == expected
    assert tmpfs_size(quantity) == expected.lower()


@pytest.mark.parametrize(
    ("quantity", "expected"), [("100m", "0.1"), ("1", "1"), ("1.25", "1.25"), ("10m", "0.01"), ("1500m", "1.5")]
)
def test_cpus(quantity: str, expected: str) -> None:
    assert cpus(quantity) == expected


# ---------------------------------------------------------------------------------------------
# The services beside it.


def test_a_server_without_egress_is_reached_through_a_gateway() -> None:
    found = project(network={"egress": {}, "publish": {"port": 9000}})
    gateway = found["services"]["mcp-demo.gateway"]
    assert gateway["image"] == pins.BUSYBOX
    assert gateway["command"] == ["nc", "-ll", "-p", "8080", "-e", "nc", "mcp-demo.server", "8080"]
    assert gateway["ports"][0] == {"target": 8080, "published": "9000", "host_ip": "127.0.0.1", "protocol": "tcp"}
    assert gateway["networks"] == {"mcpctl-network": {"aliases": ["mcp-demo"]}, "mcp-demo.internal": {}}
    assert gateway["user"] == "1000:1000"
    assert found["networks"]["mcp-demo.internal"]["internal"] is True


def test_a_gateway_that_nothing_publishes_is_for_other_containers() -> None:
    gateway = project(network={"egress": {}, "publish": False})["services"]["mcp-demo.gateway"]
    assert "ports" not in gateway
    assert gateway["networks"]["mcpctl-network"] == {"aliases": ["mcp-demo"]}


def test_what_is_before_and_beside_a_walled_server_joins_the_networks_of_others() -> None:
    found = project(network={"egress": {"hosts": ["grafana:3000"]}}, compose={"networks": ["monitoring"]})
    assert found["networks"]["monitoring"] == {"external": True}
    assert found["services"]["mcp-demo.gateway"]["networks"]["monitoring"] == {"aliases": ["mcp-demo"]}
    assert found["services"]["mcp-demo.proxy"]["networks"]["monitoring"] == {}


def test_a_network_that_two_servers_join_is_there_once() -> None:
    documents = [spec(name, compose={"networks": ["web"]}) for name in "ab"]
    found = yaml_read(texts("compose", *documents, options=STREAM)["compose.yaml"])
    assert found["networks"] == {"mcpctl-network": {"name": "mcpctl-network"}, "web": {"external": True}}


def test_labels_of_compose_have_no_limits_of_kubernetes_and_win() -> None:
    key = "traefik.http.middlewares.mcp-forward-auth.forwardauth.authResponseHeaders[0]"
    labels = service(compose={"labels": {key: "X-User$", "n": "2"}})["labels"]
    assert (labels[key], labels["n"]) == ("X-User$$", "2")
    found = project({"annotations": {"a": "1"}}, compose={"labels": {"a": "2"}}, network={"egress": {}})["services"]
    assert found["mcp-demo"]["labels"]["a"] == "1"
    assert found["mcp-demo.gateway"]["labels"]["a"] == "2", "clients reach the gateway"


def test_the_proxy_knows_the_aliases() -> None:
    network: JSON = {"egress": {"hosts": ["git.internal"]}, "hostAliases": {"git.internal": "10.0.0.5"}}
    proxy = project(network=network)["services"]["mcp-demo.proxy"]
    assert proxy["extra_hosts"] == {"git.internal": "10.0.0.5"}


def test_replicas_behind_a_gateway_keep_the_port() -> None:
    found = project(network={"egress": {}}, replicas=2)
    assert found["services"]["mcp-demo.gateway"]["ports"][0]["published"] == "24596"


def test_storage_is_given_to_the_user_before_the_server_starts() -> None:
    found = project(storage=[VOLUME, {**VOLUME, "name": "more", "mountPath": "/more"}], security={"fsGroup": 7})
    prepare = found["services"]["mcp-demo.prepare"]
    assert prepare["command"] == ["chown", "1000:7", "/volumes/data", "/volumes/more"]
    assert (prepare["user"], prepare["cap_add"], prepare["network_mode"]) == ("0:0", ["CHOWN"], "none")
    assert [mount["source"] for mount in prepare["volumes"]] == ["mcp-demo.data", "mcp-demo.more"]


def test_volumes_have_no_label_that_may_change() -> None:
    """compose offers to make a volume anew, without its data, when a label of it changes."""
    labels = project({"labels": {"team": "x"}}, storage=[{**VOLUME, "purpose": "notes"}])["volumes"]
    assert labels == {"mcp-demo.data": {"labels": {"mcpctl.io/managed": "true", "mcpctl.io/server": "demo"}}}
    assert "  # notes\n" in texts("compose", spec(storage=[{**VOLUME, "purpose": "notes"}]))["demo/compose.yaml"]


@pytest.mark.parametrize("package", [NPM, PYPI])
def test_packages_are_kept_in_a_volume(package: JSON) -> None:
    found = project(package=package)
    assert found["services"]["mcp-demo.prepare"]["command"] == ["chown", "1000:1000", "/volumes/package.cache"]
    (mount,) = found["services"]["mcp-demo"]["volumes"]
    assert (mount["source"], mount["target"]) == ("mcp-demo.package.cache", pins.CACHE_FOLDER)
    assert found["services"]["mcp-demo"]["environment"]["HOME"] == pins.CACHE_FOLDER
    assert found["services"]["mcp-demo"]["healthcheck"]["test"][0] == "CMD"


def test_several_containers_do_not_share_a_cache() -> None:
    found = project(package=NPM, replicas=2)
    assert found["services"]["mcp-demo"]["tmpfs"][-1].startswith(f"{pins.CACHE_FOLDER}:")
    assert found["services"]["mcp-demo"]["tmpfs"][-1].endswith(",exec")
    assert "volumes" not in found


def test_a_variable_of_the_spec_wins() -> None:
    assert service(package=NPM, env={"HOME": "/mine"})["environment"]["HOME"] == "/mine"


def test_a_bridge_is_copied_in_and_replaces_an_old_one() -> None:
    found = project(**STDIO)["services"]
    assert found["mcp-demo.prepare"]["command"] == ["rm", "-f", "/volumes/bridge.program/agentgateway"]
    assert "cap_add" not in found["mcp-demo.prepare"]
    assert found["mcp-demo.bridge"]["image"] == pins.AGENTGATEWAY_IMAGE
    assert found["mcp-demo.bridge"]["depends_on"] == {"mcp-demo.prepare": COMPLETED}
    assert found["mcp-demo"]["depends_on"] == {"mcp-demo.prepare": COMPLETED, "mcp-demo.bridge": COMPLETED}
    (mount,) = found["mcp-demo"]["volumes"]
    assert mount["read_only"] is True
    assert found["mcp-demo"]["entrypoint"][0].startswith(mount["target"])


def test_paths_reach_the_shell_as_parameters() -> None:
    command = project(**STDIO, storage=[VOLUME])["services"]["mcp-demo.prepare"]["command"]
    assert command == [
        *("sh", "-ec", 'rm -f "$$0"; chown "$$@"'),
        *("/volumes/bridge.program/agentgateway", "1000:1000", "/volumes/data"),
    ]


@pytest.mark.parametrize("role", ["prepare", "bridge", "gateway"])
def test_helpers_are_hardened_and_labelled(role: str) -> None:
    fields: dict[str, JSON] = {"network": {"egress": {}}} if role == "gateway" else STDIO
    helper = project({"labels": {"team": "x"}, "annotations": {"a": "b"}}, **fields)["services"][f"mcp-demo.{role}"]
    assert (helper["read_only"], helper["cap_drop"]) == (True, ["ALL"])
    assert helper["security_opt"] == ["no-new-privileges:true"]
    assert helper["deploy"]["resources"]["limits"]["memory"] == "64M"
    assert helper["labels"]["app.kubernetes.io/component"] == role
    assert helper["labels"]["mcpctl.io/server"] == "demo"
    assert (helper["labels"]["team"], "a" in helper["labels"]) == ("x", False)


# ---------------------------------------------------------------------------------------------
# What a reader is told in the file.


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "    # MCP over streamable-http: http://127.0.0.1:24596/mcp"),
        ({"network": {"publish": {"address": "::1"}}}, "    # MCP over streamable-http: http://[::1]:24596/mcp"),
        ({"image": IMAGE, "transport": {**HTTP, "type": "sse"}}, "    # MCP over sse: http://127.0.0.1:24596/sse"),
        (
            {"replicas": 2},
            "    # MCP over streamable-http at /mcp, on a free port for each replica: see `docker compose ps`",
        ),
        (
            {"network": {"egress": {"cidrs": ["10.0.0.0/8"], "services": [{"name": "db"}]}}},
            "    # NOT ENFORCED: egress only to 10.0.0.0/8, service db. A compose network is open or closed.",
        ),
        (
            {},
            "    # NOT CHECKED: a check runs inside the container, and only health.command can say how.",
        ),
        ({"env": {"A": {"secret": "s", "key": "k"}}}, "# - S_K: key k of secret s"),
        ({"env": {"A": {"secret": "s", "key": "k", "optional": True}}}, "# - S_K: key k of secret s, optional"),
        ({"envFrom": [{"secret": "s"}]}, "# - ./env/secrets/s.env: all keys of secret s, a line NAME=value each"),
        (
            {"files": {"/a": {"secret": "s", "key": "k"}}},
            "# - ./secrets/s/k: key k of secret s, readable by user 1000",
        ),
    ],
    ids=str,
)
def test_comments(fields: dict[str, JSON], line: str) -> None:
    assert line in texts("compose", spec(**fields))["demo/compose.yaml"].splitlines()


def test_a_stream_says_where_paths_begin() -> None:
    env: JSON = {"A": {"secret": "s", "key": "k"}}
    text = texts("compose", spec(env=env, files={"/a": {"content": "x"}}), options=STREAM)["compose.yaml"]
    assert "relative to the folder in which docker compose is started" in text
    assert "--env-file" in text
    assert "cannot copy the files below into a read-only container" in text


def test_what_one_server_needs_is_not_optional() -> None:
    env: JSON = {"A": {"secret": "s", "key": "k", "optional": True}, "B": {"secret": "s", "key": "k"}}
    found = texts("compose", spec(env=env))
    assert found["demo/.env.example"].endswith("# key k of secret s\nS_K='replace-me'\n")
    optional: JSON = {"A": {"secret": "s", "key": "k", "optional": True}}
    assert texts("compose", spec(env=optional))["demo/.env.example"].endswith("# Optional: key k of secret s\nS_K=''\n")


# ---------------------------------------------------------------------------------------------
# Names of variables and files.


@pytest.mark.parametrize(
    ("secret", "key", "name"),
    [
        ("github-token", "token", "GITHUB_TOKEN_TOKEN"),
        ("a.b", "c.d_e", "A_B_C_D_E"),
        ("1password", "token", "MCP_1PASSWORD_TOKEN"),
        ("docker", "host", "MCP_DOCKER_HOST"),
        ("compose", "project-name", "MCP_COMPOSE_PROJECT_NAME"),
        ("dockerhub", "host", "DOCKERHUB_HOST"),
    ],
)
def test_variables(secret: str, key: str, name: str) -> None:
    assert service(env={"A": {"secret": secret, "key": key}})["environment"]["A"].startswith(f"${{{name}:?")


def test_files_of_like_names_stay_apart_also_on_a_case_blind_disk() -> None:
    paths = ["/a/x.conf", "/b/X.conf", "/B/x.conf", "/b-x.conf", "/ü", "/.hidden"]
    found = texts("compose", spec(files={path: {"content": path} for path in paths}))
    beside = {path: text for path, text in found.items() if "/files/" in path}
    assert sorted(beside.values()) == sorted(paths)
    assert len({path.lower() for path in beside}) == len(paths)
    data = yaml_read(found["demo/compose.yaml"])
    for grant in data["services"]["mcp-demo"]["configs"]:
        place = data["configs"][grant["source"]]["file"].removeprefix("./")
        assert found[f"demo/{place}"] == grant["target"]


def test_a_whole_secret_is_a_folder_beside_the_project() -> None:
    files: dict[str, JSON] = {"/etc/tls": {"secret": "tls"}, "/etc/key": {"secret": "tls", "key": "key"}}
    text = texts("compose", spec(files={**files, "/etc/site": {"configMap": "s"}}))["demo/compose.yaml"]
    found = yaml_read(text)
    assert found["secrets"] == {"tls_": {"file": "./secrets/tls"}, "tls_key": {"file": "./secrets/tls/key"}}
    assert found["configs"] == {"s_": {"file": "./configs/s"}}
    mounted = {"source": "tls_", "target": "/etc/tls"}
    assert mounted in found["services"]["mcp-demo"]["secrets"]
    assert "# - ./secrets/tls: a folder with all keys of secret tls, readable by user 1000" in text


def test_a_config_map_is_never_taken_for_a_file_of_ours() -> None:
    files: JSON = {"/k": {"content": "x"}, "/m": {"configMap": "mcp-demo", "key": "k"}, "/m_k": {"content": "y"}}
    assert len(project(files=files)["configs"]) == 3


# ---------------------------------------------------------------------------------------------
# Text. docker compose reads it back unchanged, wherever it stands.

ODD = ["$", "$$", "$x", "${x}", "${", "${x:?y}", "$(x)", "%s", "a: b", "# c", "- d", "'", '"', "\\", ""]
ODD += [" ", "y", "NO", "12e3", "09", "1_000", "12:30", "pa$word", "\u2028", "\u0085", "\ufeff", "\x7f", "🙂"]
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\n\r"), max_size=12)
LISTS = st.lists(st.sampled_from(ODD) | st.lists(st.sampled_from(ODD)).map("".join) | TEXT, min_size=1, max_size=40)


@settings(max_examples=8)
@given(LISTS)
def test_docker_compose_reads_every_text_as_it_was_given(given_texts: list[str]) -> None:
    spelt = [as_literal(text) for text in given_texts]
    variables: dict[str, JSON] = {f"V{n}": text for n, text in enumerate(spelt)}
    annotations: dict[str, JSON] = {f"example.com/a{n}": text for n, text in enumerate(given_texts)}
    document = spec(
        "demo",
        {"annotations": annotations},
        command=["/c", *spelt],
        args=[*spelt],
        env=variables,
        description="".join(given_texts),
        health={"command": ["/h", *given_texts]},
        files={f"/etc/{n}": {"content": text} for n, text in enumerate(given_texts[:64]) if text},
        security={"readOnlyRootFilesystem": False},
    )
    rendered, _ = TARGET.build([resolve(Source("spec.yaml", 1, 1, document))], STREAM)
    assert TARGET.check(rendered, STREAM) == []
    found = compose_read(rendered[0].text)
    read = found["services"]["mcp-demo"]
    assert read["entrypoint"] == ["/c", *given_texts]
    assert read["command"] == given_texts
    assert read["environment"] == {f"V{n}": text for n, text in enumerate(given_texts)}
    assert {key: read["labels"][key] for key in annotations} == annotations
    assert read["labels"].get("mcpctl.io/description", "") == "".join(given_texts)
    assert read["healthcheck"]["test"] == ["CMD", "/h", *given_texts]
    kept = {grant["target"]: found["configs"][grant["source"]]["content"] for grant in read.get("configs", [])}
    assert kept == {f"/etc/{n}": text for n, text in enumerate(given_texts) if text}


@given(st.text("$a{}"))
def test_doubling_leaves_nothing_to_interpolate(text: str) -> None:
    assert literal(text).replace("$$", "") == text.replace("$", "")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}),
        ({"driver": "local"}, {"driver": "local", "options": {"max-size": "10m", "max-file": "3"}}),
        ({"options": {"max-size": "1g"}}, {"driver": "json-file", "options": {"max-size": "1g", "max-file": "3"}}),
        ({"options": {"tag": "$HOME ${A} {{.Name}}"}}, None),
        ({"driver": "journald"}, {"driver": "journald"}),
    ],
    ids=str,
)
def test_bounds_of_the_spec_hold_for_all_its_services(said: dict[str, JSON], expected: Any) -> None:
    network: JSON = {"egress": {"hosts": ["a.example"]}}
    found = texts("compose", spec(network=network, compose={"pids": 77, "logging": said}))
    text = found["demo/compose.yaml"]
    services = yaml_read(text)["services"]
    assert len(services) > 1
    expected = expected or {
        "driver": "json-file",
        "options": {"tag": "$$HOME $${A} {{.Name}}", "max-size": "10m", "max-file": "3"},
    }
    assert [service["logging"] for service in services.values()] == [expected] * len(services)
    pids = {name: service["deploy"]["resources"]["limits"]["pids"] for name, service in services.items()}
    assert pids.pop("mcp-demo") == 77
    assert set(pids.values()) == {1024}
