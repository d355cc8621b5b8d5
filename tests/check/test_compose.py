"""Compose files against the check, the official schema and docker compose itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer import assets
from renderer.check.compose import faults
from renderer.errors import Severity, dotted

JsonObject = dict[str, Any]


def compose(service: str, top: str = "", other: str = "") -> JsonObject:
    """A file with the service ``s`` (image ``i``), perhaps a service ``t``, and what is at the top level."""
    services = {"s": {"image": "i", **(yaml.safe_load(service) or {})}}
    if other:
        services["t"] = {"image": "i", **yaml.safe_load(other)}
    return {"name": "p", "services": services, **(yaml.safe_load(top) or {})}


#: What a rendered file looks like: one server, its one-shot helper, everything that compose can say of it.
REALISTIC = yaml.safe_load("""
name: mcp-github
services:
  mcp-github-volumes:
    image: busybox@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    user: "0:0"
    read_only: true
    cap_drop: [ALL]
    cap_add: [CHOWN]
    security_opt: ["no-new-privileges:true"]
    network_mode: none
    restart: "no"
    command: [chown, "1000:1000", /data]
    volumes: [{type: volume, source: data, target: /data}]
  mcp-github:
    image: ghcr.io/github/github-mcp-server:v0.20.1
    command: [--port, "8080", --, /server/github-mcp-server, stdio, "a$$b"]
    user: "1000:1000"
    read_only: true
    init: true
    stdin_open: true
    restart: unless-stopped
    stop_grace_period: 30s
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    environment: {GITHUB_TOOLSETS: "repos,issues", TOKEN: "${TOKEN:-x}"}
    labels: {mcpctl.io/server: github, mcpctl.io/managed: "true", app.kubernetes.io/name: github}
    tmpfs: ["/tmp:size=67108864,mode=1777"]
    volumes: [{type: volume, source: data, target: /data}]
    configs: [{source: settings, target: /config/config.yaml}]
    secrets: [{source: key, target: /run/secrets/key}]
    ports: [{target: 8080, published: "8080", host_ip: 127.0.0.1, protocol: tcp}]
    networks: [mcpctl-network]
    depends_on: {mcp-github-volumes: {condition: service_completed_successfully}}
    healthcheck: {test: [CMD, /bridge, health], interval: 10s, timeout: 5s, retries: 3, start_period: 20s}
    deploy:
      replicas: 1
      resources:
        limits: {cpus: "0.5", memory: 512M, pids: 256}
        reservations: {cpus: "0.1", memory: 128M}
networks: {mcpctl-network: {name: mcpctl-network}}
volumes: {data: {labels: {mcpctl.io/server: github}}}
configs: {settings: {file: ./config.txt}}
secrets: {key: {file: ./key.txt}}
""")

NETWORKS = "networks: {inner: {internal: true}, outer: , n: {driver_opts: {o: 1, p: x}}}"
VOLUMES = "volumes: {data: {}, other: }"

GOOD: dict[str, JsonObject] = {
    "realistic": REALISTIC,
    "smallest": {"services": {"s": {"image": "i"}}},
    "extensions": compose("{x-a: [1], deploy: {x-b: 1}, ports: [{target: 80, x-c: 2}]}", "{x-top: {a: 1}}"),
    "images": {
        "services": {
            name: {"image": image}
            for name, image in {
                "a": "localhost:5000/a/b-c__d.e:1.2-x_y",
                "b": "[::1]:5000/a",
                "c": "a@sha256:" + "0" * 64,
                "d": "registry.example.com/a/b:tag@sha256:" + "f" * 64,
            }.items()
        }
    },
    "command text": compose("{command: run it, entrypoint: '', working_dir: /w}"),
    "command null": compose("{command: null, entrypoint: [], domainname: example.com, hostname: h}"),
    "environment list": compose("environment: [A=b, 'C=', D]"),
    "environment kinds": compose("environment: {A: 1, B: true, C: null, D: 1.5, E: 'x=y'}"),
    "labels list": compose("{labels: ['a=b', c], annotations: {a: b}, logging: {driver: none, options: {a: 1}}}"),
    "ports short": compose("ports: ['80', 81, '127.0.0.1:82:82', '[::1]:83:83', '84:84/udp', '127.0.0.1::85']"),
    "ports ranges": compose("ports: ['8000-8001:80-81', '9000-9100:90']"),
    "ports long": compose(
        "ports: [{target: 80, published: 8080}, {target: 81, published: 8081-8090, name: a, mode: host,"
        " app_protocol: http, protocol: udp, host_ip: '::1'}, {target: 82, published: '0'}]"
    ),
    "one port of two protocols": compose("ports: ['80:80', '80:80/udp']"),
    "one port of two addresses": compose("ports: ['127.0.0.1:80:80']", other="ports: ['127.0.0.2:80:80']"),
    "one port of two families": compose("ports: ['0.0.0.0:80:80']", other="ports: ['[::1]:80:80']"),
    "a range for replicas": compose("{ports: ['9000-9001:90'], deploy: {replicas: 2}}"),
    "networks": compose(
        "networks: {n: {aliases: [a], interface_name: eth0, ipv4_address: 1.2.3.4, ipv6_address: '::1',"
        " link_local_ips: [1.1.1.1], mac_address: '02:42:ac:11:65:43', driver_opts: {a: b}, priority: 1,"
        " gw_priority: 2}, default: }",
        "networks: {n: {ipam: {driver: default, config: [{subnet: 1.2.3.0/24, ip_range: 1.2.3.0/25, gateway: 1.2.3.1,"
        " aux_addresses: {h: 1.2.3.9}}], options: {a: b}}, labels: {a: b}, driver: bridge, attachable: true,"
        " enable_ipv4: true, enable_ipv6: false}, e: {external: true, name: x}}",
    ),
    "a published port beside an internal network": compose("{networks: [inner, outer], ports: ['80:80']}", NETWORKS),
    "mounts": compose(
        "volumes: [/anonymous, 'data:/data:ro', './x:/x', '~/y:/y', {type: bind, source: ./b, target: /b, bind: {"
        "propagation: rprivate, create_host_path: true, recursive: enabled, selinux: z}, consistency: cached},"
        " {type: volume, source: other, target: /o, read_only: true, volume: {nocopy: true, subpath: a, labels: [a=b]}},"
        " {type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 1023}},"
        " {type: image, source: i, target: /i, image: {subpath: x}}]",
        VOLUMES,
    ),
    "a one-letter volume in the long form": compose(
        "volumes: [{type: volume, source: d, target: /d}]", "volumes: {d: {}}"
    ),
    "a drive of Windows": compose(r"volumes: ['C:\data:/data', 'D:/data:/other']"),
    "tmpfs text": compose("tmpfs: '/tmp:size=1m,exec'"),
    "grants": compose(
        "{configs: [c, {source: d, target: /d, uid: '1', gid: '1', mode: 288}], secrets: [s, {source: e, mode: '0440'}]}",
        "{configs: {c: {content: x$$y, labels: [a]}, d: {environment: D}}, secrets: {s: {environment: S},"
        " e: {file: ./key.txt}}}",
    ),
    "external grants": compose(
        "{configs: [c], secrets: [s]}",
        "{configs: {c: {external: true, name: x}}, secrets: {s: {external: true, name: y}}}",
    ),
    "drivers of Swarm": compose(
        "{}",
        "{configs: {c: {file: a, template_driver: t}}, secrets: {s: {file: a, driver: d, driver_opts: {a: b},"
        " template_driver: t, labels: {}, name: x}}, volumes: {v: {driver: local, driver_opts: {type: none}, name: x},"
        " w: {external: true}}}",
    ),
    "a copied config where the root can be written": compose("configs: [c]", "configs: {c: {content: x}}"),
    "dependencies": compose(
        "{depends_on: {t: {condition: service_healthy, restart: true, required: false}}, links: ['t:db'],"
        " volumes_from: ['t:ro', 'container:x'], external_links: ['x:y'], ipc: 'service:t', pid: 'service:t'}",
        other="{healthcheck: {test: x, disable: false}, network_mode: 'container:x', ipc: shareable}",
    ),
    "dependency list": compose("{depends_on: [t], network_mode: 'service:t', uts: host}", other="{pid: host}"),
    "health": compose("healthcheck: {test: [CMD-SHELL, x], start_period: 1m30s, start_interval: 1.5s, retries: 0}"),
    "no health": compose("healthcheck: {test: [NONE]}", other="healthcheck: {disable: true}"),
    "limits in two places": compose(
        "{cpus: 0.5, mem_limit: 1024m, mem_reservation: 1g, pids_limit: 9, scale: 2, deploy: {replicas: 2, resources:"
        " {limits: {cpus: '0.50', memory: 1g, pids: 9}, reservations: {memory: 1024M}}}}"
    ),
    "old limits": compose(
        "{cpu_count: 1, cpu_percent: 50, cpu_shares: 1, cpu_period: 100, cpu_quota: -1, cpu_rt_period: 1400,"
        " cpu_rt_runtime: 95000, cpuset: '0-1,3', mem_swappiness: 0, memswap_limit: -1, shm_size: 1.5 GB,"
        " oom_kill_disable: false, oom_score_adj: -5, cgroup: private, cgroup_parent: x, ulimits: {nproc: -1, nofile:"
        " {soft: 1, hard: 2}}, blkio_config: {weight: 300, weight_device: [{path: /a, weight: 400}], device_read_bps:"
        " [{path: /a, rate: 12mb}], device_read_iops: [{path: /a, rate: 1}], device_write_bps: [{path: /a, rate: 1}],"
        " device_write_iops: [{path: /a, rate: 1}]}}"
    ),
    "deploy": compose(
        "deploy: {mode: replicated, endpoint_mode: vip, labels: {a: b}, placement: {constraints: [a==b], preferences:"
        " [{spread: a}], max_replicas_per_node: 1}, restart_policy: {condition: any, delay: 5s, max_attempts: 3,"
        " window: 1w2d}, update_config: {parallelism: 1, delay: 1s, failure_action: rollback, monitor: 1s,"
        " max_failure_ratio: 0.5, order: stop-first}, rollback_config: {failure_action: pause}, resources:"
        " {reservations: {devices: [{capabilities: [gpu], count: all, driver: nvidia, options: {a: b}}],"
        " generic_resources: [{discrete_resource_spec: {kind: a, value: 1}}]}}}"
    ),
    "gpus": compose("gpus: all", other="gpus: [{count: -1}, {device_ids: [a], capabilities: [gpu]}]"),
    "security": compose(
        "{cap_add: [NET_ADMIN, CAP_CHOWN], privileged: false, userns_mode: host, isolation: default, runtime: runsc,"
        " group_add: [mail, 1000], sysctls: {net.core.somaxconn: 1}, device_cgroup_rules: ['c 1:3 mr', 'a 7:* rmw'],"
        " devices: ['/dev/a:/dev/b', {source: /dev/a, target: /dev/b, permissions: r}], use_api_socket: false,"
        " credential_spec: {file: x, registry: y}, storage_opt: {size: 1G}}"
    ),
    "names": compose(
        "{container_name: ab, dns: 1.1.1.1, dns_opt: [a], dns_search: [a, b], extra_hosts: {a: 1.1.1.1, b: [1.1.1.1]},"
        " mac_address: '02:42:ac:11:65:43', platform: linux/arm64/v8, stop_signal: SIGINT, tty: true, profiles: [ab]}",
        other="{dns: [1.1.1.1, '::1'], dns_search: a, extra_hosts: ['a=1.1.1.1', 'b:::1'], user: a, stop_signal: '9'}",
    ),
    "pulling": compose(
        "{pull_policy: every_1w2d, pull_refresh_after: 1h, attach: false, expose: [80, '81-82/udp']}",
        other="pull_policy: missing",
    ),
    "files": compose(
        "{env_file: [a.env, {path: b.env, required: false, format: raw}], label_file: a.labels}",
        other="{env_file: a.env, label_file: [a.labels]}",
    ),
    "build": compose(
        "build: {context: ., dockerfile: D, additional_contexts: {a: 'service:t'}, args: {A: b}, cache_from: [a],"
        " cache_to: [b], entitlements: [network.host], extra_hosts: ['a=1.1.1.1'], isolation: a, labels: [a], network:"
        " none, no_cache: true, no_cache_filter: a, platforms: [linux/amd64], privileged: false, provenance: mode=max,"
        " pull: true, sbom: false, secrets: [s], shm_size: 1g, ssh: [default], tags: ['a:b'], target: a,"
        " ulimits: {nofile: 1}}",
        "secrets: {s: {file: ./key.txt}}",
        "{build: {context: ., dockerfile_inline: FROM scratch}}",
    ),
    "built only": {"services": {"s": {"build": "."}}},
    "develop": compose(
        "develop: {watch: [{path: ., action: sync+exec, target: /x, ignore: [a], include: '*.go', initial_sync: true,"
        " exec: {command: a}}]}"
    ),
    "hooks": compose(
        "{post_start: [{command: [a], user: root, privileged: true, working_dir: /a, environment: {A: b}}],"
        " pre_stop: [{command: a}], pre_start: [{command: a, per_replica: true}]}"
    ),
    "models": compose("models: {m: {endpoint_var: A, model_var: B}}", "models: {m: {model: ai/x, context_size: 1}}"),
    "models list": compose("models: [m]", "models: {m: {model: ai/x, name: a, runtime_flags: [--a]}}"),
    "provider": {"services": {"s": {"provider": {"type": "a", "options": {"b": 1}}}}},
    "extends": compose("extends: t", other="{}"),
    "extends another file": compose("extends: {service: o, file: other.yaml}"),
    "include": compose(
        "{networks: [elsewhere]}",
        "include: [other.yaml, {path: [third.yaml], project_directory: ., env_file: a.env}]",
    ),
    "jobs": compose(
        "{}", "jobs: {j: {image: i, depends_on: [k, s], triggers: {manual: true}}, k: {image: i, triggers: {schedule:"
        " [{cron: '* * * * *', timezone: UTC, concurrency: queue, missed_fires: skip}]}}}",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """A faulty file. ``stricter`` says why we refuse what docker compose and its schema let pass."""

    doc: Any
    rule: str
    path: str
    says: str = ""
    stricter: str = ""


AT_START = "the Engine refuses it when the container is made"
SILENT = "docker compose ignores it in silence"
TEXT = "the text of the specification; the official schema allows it for the sake of variables"


def bad(service: str, rule: str, path: str, says: str = "", stricter: str = "", **parts: str) -> Bad:
    """A fault below the service ``s``."""
    return Bad(compose(service, **parts), f"compose/{rule}", f"services.s{path}", says, stricter)


BAD: dict[str, Bad] = {
    # the schema
    "not a mapping": Bad([], "compose/type", "", "a mapping"),
    "no services": Bad({"name": "p"}, "compose/missing-field", "", stricter="there is nothing to run"),
    "services empty": Bad({"services": {}}, "compose/min-properties", "services", stricter="there is nothing to run"),
    "version": Bad(
        {"version": "3", **compose("{}")}, "compose/unknown-field", "version", stricter="obsolete, ignored by compose"
    ),
    "unknown at the top": Bad(compose("{}", "{sevrices: {}}"), "compose/unknown-field", "sevrices"),
    "unknown field": bad("{comand: a}", "unknown-field", ".comand", "did you mean 'command'"),
    "unknown in deploy": bad("{deploy: {replica: 1}}", "unknown-field", ".deploy.replica", "replicas"),
    "unknown in a port": bad("{ports: [{target: 80, publish: '80'}]}", "unknown-field", ".ports[0].publish"),
    "project name": Bad({**compose("{}"), "name": "A b"}, "compose/pattern", "name", "lower-case", "compose changes it"),
    "service name": Bad({"services": {"a/b": {"image": "i"}}}, "compose/field-name", 'services["a/b"]', "letters"),
    "long service name": Bad(
        {"services": {"a" * 64: {"image": "i"}}}, "compose/field-name", f"services.{'a' * 64}", stricter="DNS: 63"
    ),
    "network name": Bad(compose("{}", "networks: {'a b': {}}"), "compose/field-name", 'networks["a b"]'),
    "no image": Bad({"services": {"s": {"user": "a"}}}, "compose/missing-field", "services.s", "image"),
    "empty image": bad("{image: ''}", "pattern", ".image", "an image such as"),
    "image in capitals": bad("{image: 'A/b'}", "pattern", ".image", stricter=AT_START),
    "short digest": bad("{image: 'a@sha256:12'}", "pattern", ".image", stricter=AT_START),
    "number as user": bad("{user: 1000}", "type", ".user"),
    "quoted flag": bad("{read_only: 'true'}", "type", ".read_only", stricter=TEXT),
    "quoted number": bad("{oom_score_adj: '5'}", "type", ".oom_score_adj", stricter=TEXT),
    "null image": bad("{image: null}", "null", ".image"),
    "capability": bad("{cap_drop: [NET_ADMN]}", "pattern", ".cap_drop[0]", "capability", AT_START),
    "repeated capability": bad("{cap_drop: [ALL, ALL]}", "unique-items", ".cap_drop[1]"),
    "restart": bad("{restart: sometimes}", "pattern", ".restart", "unless-stopped", AT_START),
    "pull policy": bad("{pull_policy: often}", "pattern", ".pull_policy"),
    "memory of Kubernetes": bad("{mem_limit: 512Mi}", "pattern", ".mem_limit", "not Mi"),
    "memory as a number": bad("{deploy: {resources: {limits: {memory: 5}}}}", "type", ".deploy.resources.limits.memory"),
    "processors of Kubernetes": bad("{cpus: 100m}", "pattern", ".cpus", "not 500m"),
    "duration without unit": bad("{stop_grace_period: '30'}", "pattern", ".stop_grace_period", "10s"),
    "negative duration": bad("{stop_grace_period: '-5s'}", "pattern", ".stop_grace_period", stricter="never meant"),
    "health without CMD": bad("{healthcheck: {test: [curl]}}", "enum", ".healthcheck.test[0]"),
    "health of nothing": bad("{healthcheck: {test: [CMD]}}", "min-items", ".healthcheck.test", stricter="it never runs"),
    "early check": bad(
        "{healthcheck: {test: a, start_interval: 1s}}", "missing-field", ".healthcheck", "start_period", AT_START
    ),
    "port too high": bad("{ports: ['99999:80']}", "pattern", ".ports[0]"),
    "port zero": bad("{ports: [{target: 0}]}", "minimum", ".ports[0].target", stricter="no container listens on 0"),
    "published too high": bad(
        "{ports: [{target: 80, published: '99999'}]}", "pattern", ".ports[0].published", stricter=AT_START
    ),
    "protocol": bad("{ports: [{target: 80, protocol: htp}]}", "enum", ".ports[0].protocol", stricter=AT_START),
    "host address": bad("{ports: [{target: 80, host_ip: here}]}", "pattern", ".ports[0].host_ip", "an IP address"),
    "port without target": bad("{ports: [{published: '80'}]}", "missing-field", ".ports[0]", "target"),
    "mount type": bad("{volumes: [{type: disk, target: /a}]}", "enum", ".volumes[0].type"),
    "mount without target": bad("{volumes: [{type: tmpfs}]}", "missing-field", ".volumes[0]"),
    "bind without source": bad("{volumes: [{type: bind, target: /a}]}", "missing-field", ".volumes[0]", "source"),
    "tmpfs with a source": bad("{volumes: [{type: tmpfs, source: a, target: /a}]}", "not", ".volumes[0]", "", SILENT),
    "relative target": bad("{volumes: [{type: tmpfs, target: a}]}", "pattern", ".volumes[0].target", "", AT_START),
    "relative tmpfs": bad("{tmpfs: [a]}", "pattern", ".tmpfs[0]", stricter=AT_START),
    "relative folder": bad("{working_dir: a}", "pattern", ".working_dir", stricter=AT_START),
    "condition": bad(
        "{depends_on: {t: {condition: healthy}}}", "enum", ".depends_on.t.condition", "service_healthy", other="{}"
    ),
    "no condition": bad("{depends_on: {t: {}}}", "missing-field", ".depends_on.t", other="{}"),
    "two kinds of network": bad("{network_mode: none, networks: [default]}", "not", "", "exclude each other"),
    "two Dockerfiles": bad("{build: {dockerfile: a, dockerfile_inline: b}}", "not", ".build"),
    "two ways to a GPU": bad("{gpus: [{count: 1, device_ids: [a]}]}", "not", ".gpus[0]"),
    "soft limit only": bad("{ulimits: {nofile: {soft: 1}}}", "missing-field", ".ulimits.nofile", "hard"),
    "nameless variable": bad("{environment: {'': a}}", "field-name", '.environment[""]'),
    "nested variable": bad("{environment: {A: [b]}}", "type", ".environment.A"),
    "reserved label": bad(
        "{labels: {com.docker.compose.project: a}}", "field-name", '.labels["com.docker.compose.project"]', "reserved",
        "the text of the specification",
    ),
    "container name": bad("{container_name: a b}", "pattern", ".container_name"),
    "DNS server": bad("{dns: nowhere}", "pattern", ".dns", stricter=AT_START),
    "host without address": bad("{extra_hosts: [a]}", "pattern", ".extra_hosts[0]"),
    "umask": bad("{umask: '022'}", "unknown-field", ".umask"),
    "config from nowhere": Bad(compose("{}", "configs: {c: {}}"), "compose/missing-field", "configs.c", "file"),
    "config from two places": Bad(
        compose("{configs: [c]}", "configs: {c: {file: a, content: b}}"), "compose/one-of", "configs.c"
    ),
    "secret from nowhere": Bad(compose("{}", "secrets: {c: {}}"), "compose/missing-field", "secrets.c"),
    "external and more": Bad(
        compose("{}", "volumes: {v: {external: true, driver: a}}"), "compose/field-name", "volumes.v.driver", "external"
    ),
    "job without trigger": Bad(compose("{}", "jobs: {j: {image: i}}"), "compose/missing-field", "jobs.j"),
    # references
    "unknown network": bad("{networks: [nte]}", "undefined-network", ".networks[0]", "'net'", top="networks: {net: }"),
    "unknown network by name": bad("{networks: {x: }}", "undefined-network", ".networks.x"),
    "unknown volume": bad("{volumes: ['x:/x']}", "drive-letter", ".volumes[0]", top="volumes: {x: {}}", stricter=AT_START),
    "unknown volume, short": bad("{volumes: ['xy:/x:ro']}", "undefined-volume", ".volumes[0]", "'xy'"),
    "unknown volume, long": bad(
        "{volumes: [{type: volume, source: xy, target: /x}]}", "undefined-volume", ".volumes[0]"
    ),
    "unknown config": bad("{configs: [{source: x}]}", "undefined-config", ".configs[0]"),
    "unknown secret": bad("{secrets: [x]}", "undefined-secret", ".secrets[0]"),
    "unknown build secret": bad("{build: {context: ., secrets: [x]}}", "undefined-secret", ".build.secrets[0]"),
    "unknown context": bad(
        "{build: {context: ., additional_contexts: {a: 'service:x'}}}",
        "undefined-service", ".build.additional_contexts.a",
    ),
    "unknown model": bad("{models: [x]}", "undefined-model", ".models[0]"),
    "unknown dependency": bad("{depends_on: [x]}", "undefined-service", ".depends_on[0]"),
    "unknown dependency by name": bad(
        "{depends_on: {x: {condition: service_started}}}", "undefined-service", ".depends_on.x"
    ),
    "unknown link": bad("{links: ['x:y']}", "undefined-service", ".links[0]"),
    "unknown namespace": bad("{pid: 'service:x'}", "undefined-service", ".pid"),
    "unknown source of mounts": bad("{volumes_from: ['x:ro']}", "undefined-service", ".volumes_from[0]"),
    "unknown base": bad("{extends: {service: x}}", "undefined-service", ".extends.service"),
    "service that needs a job": bad(
        "{depends_on: [j]}", "undefined-service", ".depends_on[0]",
        top="jobs: {j: {image: i, triggers: {manual: true}}}",
    ),
    "never healthy": bad(
        "{depends_on: {t: {condition: service_healthy}}}", "never-healthy", ".depends_on.t.condition", "'t'",
        "the start waits, then fails", other="{healthcheck: {disable: true}}",
    ),
    "cycle": Bad(
        compose("{depends_on: [t]}", other="{network_mode: 'service:s'}"), "compose/cycle",
        "services.t.network_mode", "s -> t -> s",
    ),
    "own cycle": bad("{depends_on: [s]}", "cycle", ".depends_on[0]", "s -> s"),
    # ports
    "port of two services": Bad(
        compose("{ports: ['127.0.0.1:80:80']}", other="{ports: [{target: 1, published: 80}]}"),
        "compose/duplicate-port", "services.t.ports[0]", "service 't' publishes host port 80/tcp, which service 's'",
        AT_START,
    ),
    "port twice in a service": bad(
        "{ports: ['80:80', '80:81']}", "duplicate-port", ".ports[1]", "which it publishes already", AT_START
    ),
    "port in a range": bad("{ports: ['80-85:80-85', '84:1']}", "duplicate-port", ".ports[1]", stricter=AT_START),
    "port of all addresses": bad(
        "{ports: ['0.0.0.0:80:80', '127.0.0.1:80:81']}", "duplicate-port", ".ports[1]", "127.0.0.1", AT_START
    ),
    "port of replicas": bad(
        "{ports: ['80:80'], deploy: {replicas: 2}}", "replicas-share-port", ".ports[0]", "2 replicas", AT_START
    ),
    "small range for replicas": bad(
        "{ports: ['80-81:80'], scale: 3}", "replicas-share-port", ".ports[0]", stricter=AT_START
    ),
    "port without network": bad(
        "{ports: ['80:80'], network_mode: none}", "unpublished-port", ".ports", "network_mode", SILENT
    ),
    "port on internal networks": bad(
        "{ports: ['80:80'], networks: [inner]}", "unpublished-port", ".ports", "internal", SILENT, top=NETWORKS
    ),
    # mounts
    "two volumes at one place": bad(
        "{volumes: ['data:/a', {type: volume, source: other, target: /a/}]}",
        "duplicate-mount", ".volumes[1]", "'/a' is mounted twice", top=VOLUMES,
    ),
    "a volume and a tmpfs": bad(
        "{volumes: ['data:/a'], tmpfs: '/a:size=1m'}", "duplicate-mount", ".tmpfs", "by 'volumes'", top=VOLUMES
    ),
    "two tmpfs": bad("{tmpfs: ['/a', '/a:size=1m']}", "duplicate-mount", ".tmpfs[1]"),
    "two configs at one place": bad(
        "{configs: [c, {source: d, target: /c}]}", "duplicate-mount", ".configs[1]", "by 'configs'", SILENT,
        top="configs: {c: {file: ./config.txt}, d: {file: ./key.txt}}",
    ),
    "secret over a config": bad(
        "{configs: [{source: c, target: /run/secrets/d}], secrets: [d]}", "duplicate-mount", ".secrets[0]", "", SILENT,
        top="{configs: {c: {file: ./config.txt}}, secrets: {d: {file: ./key.txt}}}",
    ),
    "copied config": bad(
        "{read_only: true, configs: [c]}", "read-only-copy", ".configs[0]", "config 'c'", AT_START,
        top="configs: {c: {content: x}}",
    ),
    "copied secret": bad(
        "{read_only: true, secrets: [{source: c}]}", "read-only-copy", ".secrets[0]", "secret 'c'", AT_START,
        top="secrets: {c: {environment: X}}",
    ),
    # names and limits
    "container of two services": Bad(
        compose("{container_name: ab}", other="{container_name: ab}"),
        "compose/duplicate-container-name", "services.t.container_name", "'s'",
    ),
    "container of replicas": bad(
        "{container_name: ab, deploy: {replicas: 2}}", "container-name-replicas", ".container_name"
    ),
    "two values of cpus": bad("{cpus: 1, deploy: {resources: {limits: {cpus: '2'}}}}", "two-values", ".cpus"),
    "two values of memory": bad(
        "{mem_limit: 1g, deploy: {resources: {limits: {memory: 1m}}}}", "two-values", ".mem_limit"
    ),
    "two values of replicas": bad("{scale: 2, deploy: {replicas: 3}}", "two-values", ".scale", "deploy.replicas"),
    "guarantee above the limit": bad(
        "{deploy: {resources: {limits: {memory: 1g}, reservations: {memory: 1025m}}}}",
        "reservation-above-limit", ".deploy.resources.reservations.memory", stricter=AT_START,
    ),
    "old guarantee above the limit": bad(
        "{mem_limit: 10m, mem_reservation: 10485761}", "reservation-above-limit", ".mem_reservation", stricter=AT_START
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_files_have_no_fault(name: str) -> None:
    assert faults(GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_files_have_this_one_fault(name: str) -> None:
    case = BAD[name]
    found = [(f.rule, dotted(f.path)) for f in faults(case.doc)]
    assert found == [(case.rule, case.path)]
    assert case.says in faults(case.doc)[0].message


def test_every_field_of_the_schema_is_in_a_good_file() -> None:
    used = {key for doc in GOOD.values() for key in _keys(doc)}
    assert sorted(set(_fields(assets.schema("output/compose"))) - used) == []


def test_all_faults_are_told_at_once() -> None:
    doc = compose("{comand: a, networks: [x], ports: ['80:80', '80:81'], container_name: ab, scale: 2}")
    assert [f.rule for f in faults(doc)] == [
        "compose/unknown-field",
        "compose/undefined-network",
        "compose/replicas-share-port",
        "compose/replicas-share-port",
        "compose/duplicate-port",
        "compose/container-name-replicas",
    ]


def test_silence_of_docker_compose_is_a_warning() -> None:
    doc = compose("{ports: ['80:80'], network_mode: host}")
    assert [f.severity for f in faults(doc)] == [Severity.WARNING]


def test_values_of_variables_and_configs_are_never_told() -> None:
    hidden = "s3cr3t"
    doc = compose(
        f"{{environment: ['={hidden}'], build: {{context: ., args: {{A: [{hidden}]}}}}}}",
        f"configs: {{c: {{content: [{hidden}]}}}}",
    )
    found = faults(doc)
    assert len(found) == 3
    assert hidden not in "".join(f.message + f.hint for f in found)


def test_a_long_chain_of_services_is_no_recursion() -> None:
    chain = {f"s{i}": {"image": "i", "depends_on": [f"s{i + 1}"]} for i in range(5000)}
    assert faults({"services": {**chain, "s5000": {"image": "i"}}}) == []


_NUMBERS = {"digits": 10**5000, "negative": -1, "flag": True, "float": 1e308, "exponent": "1e999999999"}


@pytest.mark.parametrize("name", _NUMBERS)
def test_hostile_numbers_are_no_crash(name: str) -> None:
    number: Any = _NUMBERS[name]
    resources = {"limits": {"cpus": number, "memory": number}, "reservations": {"memory": number}}
    service = {"image": "i", "cpus": number, "mem_limit": number, "scale": 2}
    service |= {"ports": [{"target": number, "published": number}], "deploy": {"resources": resources}}
    assert faults({"services": {"s": service}})


_NAMES = sorted(["s", "t", "CMD", "limits", "memory", *assets.schema("output/compose")["$defs"]["workload"]["properties"]])
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["s", "t", "a:/b", "80:80", "service:s"])
_SHAPES = st.recursive(
    _LEAVES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=20,
)
_FILES = st.fixed_dictionaries(
    {"services": st.dictionaries(st.sampled_from("st"), st.dictionaries(st.sampled_from(_NAMES), _SHAPES)) | _SHAPES},
    optional={"networks": _SHAPES, "volumes": _SHAPES, "configs": _SHAPES, "secrets": _SHAPES, "jobs": _SHAPES},
)


@settings(max_examples=200, deadline=None)
@given(_FILES)
def test_no_shape_is_a_crash(doc: JsonObject) -> None:
    assert all(f.rule.startswith("compose/") for f in faults(doc))


def _fields(node: object) -> list[str]:
    """All field names that a schema knows."""
    if isinstance(node, list):
        return [name for item in node for name in _fields(item)]
    if not isinstance(node, dict):
        return []
    inner = [name for value in node.values() for name in _fields(value)]
    return [*(node["properties"] if isinstance(node.get("properties"), dict) else ()), *inner]


def _keys(node: object) -> list[str]:
    if isinstance(node, list):
        return [key for item in node for key in _keys(item)]
    return [*node, *(k for v in node.values() for k in _keys(v))] if isinstance(node, dict) else []


# The independent oracles: the schema that the Compose Specification publishes, and docker compose itself.


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed")
    assert found is not None, f"{name} is not installed"
    return found


def _files(folder: Path) -> dict[str, Path]:
    """Every document of the tables as a file, beside the files that some of them name."""
    for name in ("a.env", "b.env", "a.labels", "config.txt", "key.txt"):
        (folder / name).write_text("A=b\n")
    (folder / "other.yaml").write_text("services: {o: {image: i}}\nnetworks: {elsewhere: }\n")
    (folder / "third.yaml").write_text("services: {q: {image: i}}\n")
    documents: dict[str, object] = {**GOOD, **{name: case.doc for name, case in BAD.items()}}
    paths = {name: folder / f"{n}.yaml" for n, name in enumerate(documents)}
    for name, path in paths.items():
        path.write_text(json.dumps(documents[name]))
    return paths


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return _files(tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def officially_refused(files: dict[str, Path]) -> frozenset[str]:
    """The names of the documents that the official schema refuses, from one run for all."""
    command = [_program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "-o", "json"]
    run = subprocess.run([*command, *map(str, files.values())], capture_output=True, text=True, timeout=120)
    refused = {error["filename"] for error in json.loads(run.stdout)["errors"]}
    return frozenset(name for name, path in files.items() if str(path) in refused)


def _compose_refuses(path: Path) -> str:
    """What ``docker compose config`` says against a file; empty when it accepts it."""
    command = [_program("docker-compose"), "-p", "p", "-f", str(path), "--profile", "*", "config", "-q"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(path.parent)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    return run.stderr if run.returncode else ""


@pytest.mark.parametrize("name", GOOD)
def test_docker_compose_accepts_the_good_files(name: str, files: dict[str, Path]) -> None:
    assert _compose_refuses(files[name]) == ""


def test_the_official_schema_accepts_the_good_files(officially_refused: frozenset[str]) -> None:
    assert sorted(officially_refused & set(GOOD)) == []


@pytest.mark.parametrize("name", BAD)
def test_the_bad_files_are_refused_by_an_oracle_or_we_say_why_not(
    name: str, files: dict[str, Path], officially_refused: frozenset[str]
) -> None:
    refused = name in officially_refused or bool(_compose_refuses(files[name]))
    assert refused == (not BAD[name].stricter)
