"""Settings: sources in order, places of faults, and what excludes what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import InputInvalid, UsageMistake
from renderer.orchestrators import ORCHESTRATORS
from renderer.orchestrators.contract import DockerConfig, KubernetesConfig, OrchestratorConfig
from renderer.settings import Settings, fields, load_settings

BY_NAME = {field.name.removeprefix("orchestrator."): field for field in fields()}
#: A value for each setting that is not its default, as text.
OTHER = {
    "type": "kubernetes",
    "docker.socketPath": "/run/other.sock",
    "docker.host": "docker.example.com",
    "docker.port": "2375",
    "docker.network": "mine",
    "kubernetes.namespace": "mine",
    "kubernetes.kubeconfig": "/other/config",
    "kubernetes.context": "kind-dev",
    "kubernetes.inCluster": "true",
}


def load(folder: Path, text: str = "", environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
    if text:
        (folder / "mcpctl.yaml").write_text(text)
    given = {BY_NAME[name.replace("_", ".")].option: value for name, value in options.items()}
    return load_settings(given, folder=folder, environ={"HOME": str(folder), **(environ or {})})


def faults(folder: Path, text: str = "", environ: Mapping[str, str] | None = None, **options: Any) -> list[str]:
    with pytest.raises(InputInvalid) as caught:
        load(folder, text, environ, **options)
    return [
        f"{Path(p.place.file).name}:{p.place.line}:{p.place.column}: {p.path}: {p.message}; {p.hint}"
        for p in caught.value.problems
    ]


def origin(settings: Settings, name: str) -> tuple[Any, str]:
    (value,) = (value for value in settings.values if value.field is BY_NAME[name])
    return value.value, value.origin


def test_the_defaults_are_those_of_the_issue(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.config == OrchestratorConfig("docker", DockerConfig(), KubernetesConfig())
    assert {value.origin for value in settings.values} == {"default"}
    assert settings.file == ""


def test_the_schema_knows_every_runtime() -> None:
    assert BY_NAME["type"].choices == tuple(ORCHESTRATORS)


def test_every_setting_is_a_field_of_the_configuration() -> None:
    assert set(OTHER) == set(BY_NAME)
    assert len(fields()) == 1 + len(DockerConfig._fields) + len(KubernetesConfig._fields)


@pytest.mark.parametrize("name", OTHER)
def test_later_sources_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    field = BY_NAME[name]
    given = {"true": True, "2375": 2375}.get(OTHER[name], OTHER[name])
    section, _, key = name.rpartition(".")
    near = "host: a, " if key == "port" else ""
    inner = f"{section}: {{{near}{key}: {OTHER[name]}}}" if section else f"{key}: {OTHER[name]}"
    kind = {"type": section} if section else {}
    more = {} if key != "port" else {"MCPCTL_DOCKER_HOST": "a"}
    (tmp_path / "mcpctl.yaml").write_text(f"orchestrator: {{{inner}}}\n")
    column = f"orchestrator: {{{inner}".index(f"{key}: {OTHER[name]}") + len(key) + 3
    settings = load_settings(folder=tmp_path, environ={})
    assert origin(settings, name) == (given, f"mcpctl.yaml:1:{column}")
    settings = load_settings(folder=tmp_path, environ={field.variable: OTHER[name]})
    assert origin(settings, name) == (given, field.variable)
    options = {field.option: given, **({"--orchestrator": kind["type"]} if kind else {})}
    settings = load_settings(options, folder=tmp_path, environ={field.variable: OTHER[name], **more})
    assert origin(settings, name) == (given, field.option)
    # It arrives where the runtime looks for it.
    flat = [settings.config.type, *settings.config.docker, *settings.config.kubernetes]
    assert given in flat


def test_a_fault_has_its_line_and_a_suggestion(tmp_path: Path) -> None:
    text = "orchestrator:\n  typ: docker\n  docker:\n    port: 99999\n    host: 'tcp://a'\n"
    assert faults(tmp_path, text) == [
        "mcpctl.yaml:2:3: orchestrator.typ: unknown field; did you mean 'type'?; ",
        "mcpctl.yaml:4:11: orchestrator.docker.port: must be at most 65535, got integer 99999; ",
        "mcpctl.yaml:5:11: orchestrator.docker.host: expected a host name or an IP address, without a scheme and "
        "without a port, got string 'tcp://a'; ",
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("orchestrator: {type: nomad}", "expected 'docker' or 'kubernetes'"),
        ("orchestrator: {type: dockr}", "did you mean 'docker'?"),
        ("orchestrator: docker", "expected"),
        ("- a", "begin it with 'orchestrator:'"),
        ("a: 1\n---\nb: 1", "a second document"),
        ("orchestrator: {}\norchestrator: {}", "orchestrator"),
        ("orchestrator: {docker: {port: 1}}", "a port without orchestrator.docker.host"),
        ("orchestrator: {docker: {socketPath: /a, host: b}}", "excludes orchestrator.docker.host"),
        ("orchestrator: {docker: {socketPath: relative}}", "an absolute path"),
        ("orchestrator: {docker: {network: '-x'}}", "the name of a Docker network"),
        ("orchestrator: {kubernetes: {inCluster: true, context: a}}", "excludes orchestrator.kubernetes.context"),
        ("orchestrator: {kubernetes: {inCluster: 'yes'}}", "true or false"),
        ("orchestrator: {kubernetes: {namespace: A}}", "a DNS label"),
        ('orchestrator: {kubernetes: {context: "a\\nb"}}', "the name of a context"),
        ("orchestrator: [", ""),
    ],
)
def test_what_is_refused_in_a_file(tmp_path: Path, text: str, word: str) -> None:
    assert word in "\n".join(faults(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("MCPCTL_ORCHESTRATOR_TYPE", "nomad", "expected 'docker' or 'kubernetes'"),
        ("MCPCTL_DOCKER_PORT", "http", "expected an integer"),
        ("MCPCTL_DOCKER_PORT", "0", "must be at least 1"),
        ("MCPCTL_DOCKER_PORT", "9" * 5000, "must be at most 65535"),
        ("MCPCTL_DOCKER_PORT", "2375", "a port without"),
        ("MCPCTL_KUBERNETES_IN_CLUSTER", "maybe", "true or false"),
        ("MCPCTL_KUBERNETES_NAMESPACE", "A", "a DNS label"),
    ],
)
def test_what_is_refused_in_the_environment(tmp_path: Path, name: str, value: str, word: str) -> None:
    (fault,) = faults(tmp_path, environ={name: value})
    assert fault.startswith(f"{name}:0:0: ")
    assert word in fault


def test_what_is_refused_on_the_command_line(tmp_path: Path) -> None:
    assert faults(tmp_path, docker_port=0)[0].startswith("--docker-port:0:0: orchestrator.docker.port: must be at")
    with pytest.raises(
        UsageMistake, match=r"--context is an option of kubernetes, and the orchestrator is docker \(default\); add"
    ):
        load(tmp_path, kubernetes_context="a")


def test_an_empty_variable_is_none_and_a_misspelt_one_is_told(tmp_path: Path) -> None:
    names = ("MCPCTL_DOCKER_HOTS", "MCPCTL_NAME", "MCPCTL_NAMESPACE", "MCPCTL_ORCHESTRATOR", "MCPCTL_TEST_IMAGE")
    settings = load(tmp_path, environ={"MCPCTL_DOCKER_PORT": "", **dict.fromkeys(names, "kubernetes")})
    assert settings.config == OrchestratorConfig()
    assert [(p.place.file, p.hint) for p in settings.problems] == [
        ("MCPCTL_DOCKER_HOTS", "did you mean 'MCPCTL_DOCKER_HOST'?"),
        ("MCPCTL_NAME", "see mcpctl config"),
        ("MCPCTL_NAMESPACE", "did you mean 'MCPCTL_KUBERNETES_NAMESPACE'?"),
        # Docker would be taken in silence.
        ("MCPCTL_ORCHESTRATOR", "did you mean 'MCPCTL_ORCHESTRATOR_TYPE'?"),
    ]


def test_the_later_of_two_ways_decides(tmp_path: Path) -> None:
    text = "orchestrator: {docker: {host: a, port: 1}, kubernetes: {inCluster: true}}"
    config = load(tmp_path, text, {"MCPCTL_DOCKER_SOCKET_PATH": "/x.sock"}).config
    assert config.docker == DockerConfig("/x.sock")
    assert config.kubernetes.in_cluster
    config = load(tmp_path, text, type="kubernetes", kubernetes_context="dev").config
    assert config.kubernetes == KubernetesConfig(context="dev", in_cluster=False)
    assert config.docker == DockerConfig(host="a", port=1)


# ---------------------------------------------------------------------------------------------
# The tools' own variables.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///run/user/1000/docker.sock", DockerConfig("/run/user/1000/docker.sock")),
        ("tcp://127.0.0.1:2375", DockerConfig(host="127.0.0.1", port=2375)),
        ("tcp://[::1]:2375", DockerConfig(host="::1", port=2375)),
        ("tcp://docker", DockerConfig(host="docker")),
        ("", DockerConfig()),
    ],
)
def test_docker_host_counts_where_nothing_of_ours_does(tmp_path: Path, text: str, expected: DockerConfig) -> None:
    environ = {"DOCKER_HOST": text}
    assert load(tmp_path, environ=environ).config.docker == expected
    assert (
        load(tmp_path, "orchestrator: {docker: {socketPath: /a.sock}}", environ).config.docker.socket_path == "/a.sock"
    )
    assert load(tmp_path, "orchestrator: {docker: {host: b}}", environ).config.docker == DockerConfig(host="b")


@pytest.mark.parametrize(
    "text", ["ssh://me@there", "tcp://me:hunter2@a:1", "tcp://a:99999", "unix://x", "tcp://[", "a"]
)
def test_a_docker_host_that_is_not_understood(tmp_path: Path, text: str) -> None:
    environ = {"DOCKER_HOST": text}
    (fault,) = faults(tmp_path, environ=environ)
    assert "unix:// or tcp://host:port" in fault
    assert "hunter2" not in fault
    # Nobody reads it: no fault.
    assert load(tmp_path, environ=environ, type="kubernetes").config.type == "kubernetes"
    assert load(tmp_path, environ=environ, docker_host="a").config.docker.host == "a"


def test_kubeconfig_is_left_to_kubectl(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={"KUBECONFIG": "/a:/b"})
    assert settings.config.kubernetes.kubeconfig is None
    assert origin(settings, "kubernetes.kubeconfig") == ("/a:/b", "KUBECONFIG")


# ---------------------------------------------------------------------------------------------
# The file.


def test_it_is_found_upwards_but_not_beyond_a_git_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "repository/a/b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "mcpctl.yaml").write_text("orchestrator: {docker: {network: outer}}")
    assert load_settings(environ={}).config.docker.network == "outer"
    (tmp_path / "repository/.git").mkdir()
    assert load_settings(environ={}).file == ""
    (tmp_path / "repository/mcpctl.json").write_text('{"orchestrator": {"docker": {"network": "root"}}}')
    settings = load_settings(environ={})
    assert (settings.config.docker.network, settings.file) == ("root", "../../mcpctl.json")
    (inner / "mcpctl.yml").write_text("# nothing but a comment\n")
    assert load_settings(environ={}).config == OrchestratorConfig()


def test_it_is_not_looked_for_beyond_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "mcpctl.yaml").write_text("orchestrator: {type: kubernetes}")
    assert load_settings(folder=home, environ={"HOME": str(home)}).config.type == "docker"
    assert load_settings(folder=home, environ={}).config.type == "kubernetes"


def test_two_of_them_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mcpctl.json").write_text("{}")
    assert faults(tmp_path, "{}") == ["mcpctl.json:0:0: : mcpctl.yaml exists too; "]


def test_somebody_elses_is_refused_above_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mcpctl.yaml").write_text("orchestrator: {type: kubernetes}")
    (tmp_path / "a").mkdir()
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    if tmp_path.stat().st_uid == 0:
        monkeypatch.setattr("renderer.project._ROOT_USER", 4712)
    with pytest.raises(InputInvalid, match="name it with --config"):
        load_settings(folder=tmp_path / "a", environ={})
    assert load_settings(folder=tmp_path, environ={}).config.type == "kubernetes"


def test_a_named_file(tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("orchestrator: {kubernetes: {kubeconfig: certs/config}}")
    config = load_settings(file=str(path), folder=tmp_path, environ={}).config
    assert config.kubernetes.kubeconfig == str(tmp_path / "certs/config")
    with pytest.raises(InputInvalid) as caught:
        load_settings(file=str(tmp_path / "othr.yaml"), folder=tmp_path, environ={})
    assert "did you mean" in caught.value.problems[0].hint


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    text = "orchestrator: {kubernetes: {kubeconfig: ~/.kube/staging}}"
    assert load(tmp_path, text).config.kubernetes.kubeconfig == "/home/me/.kube/staging"
