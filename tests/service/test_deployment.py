"""The files that deploy the service: the unit of systemd, the container, and its compose files."""

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from containerfile import read_stages
from paths import REPOSITORY

from screener.cli.serve import serve

DEPLOY = REPOSITORY / "examples/deploy"
COMPOSE = ("compose.yaml", "compose.coop.yaml", "compose.pictrs.yaml", "compose.policyserv.yaml")
# Of the Compose Specification: the type of each key of a service that these files use.
SERVICE_KEYS = {
    "image": str, "build": dict, "command": list, "environment": dict, "ports": list,
    "volumes": list, "networks": list, "network_mode": str, "depends_on": (list, dict),
    "init": bool, "read_only": bool, "tmpfs": list, "shm_size": str, "cap_drop": list,
    "security_opt": list, "mem_limit": str, "pids_limit": int, "stop_grace_period": str,
    "restart": str, "healthcheck": dict,
}  # fmt: skip
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "start_period", "retries"}
VARIABLE = re.compile(r"\$(?!\{[A-Z_]+:\?[^}]+\})")  # one that would be empty if it was not set


def check_options(arguments):
    """The command `serve` has all options of a command line."""
    known = {name for option in serve.params for name in option.opts}
    named = {re.match(r"--[a-z-]+", one)[0] for one in arguments if one.startswith("--")}
    assert named
    assert named <= known


def read_compose(name):
    """Return the content of a compose file, and its text."""
    text = (DEPLOY / name).read_text()
    return yaml.safe_load(text), text


def test_the_unit_of_systemd(tmp_path):
    """`systemd-analyze` finds no fault, and the command has its options."""
    text = (DEPLOY / "screener.service").read_text()
    (start,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, command, *arguments = start.split()
    assert (program, command) == ("/opt/screener/bin/screener", "serve")
    check_options(arguments)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: the unit is not checked")
    # The command need not be installed where tests run.
    unit = tmp_path / "screener.service"
    unit.write_text(text.replace(program, sys.executable).replace("/usr/bin/curl", sys.executable))
    done = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", COMPOSE)
def test_a_compose_file_has_only_what_the_specification_has(name):
    """Known keys with values of their types; a variable that is missing is an error with a text."""
    content, text = read_compose(name)

    assert set(content) <= {"services", "networks", "volumes"}
    for service in content["services"].values():
        assert {key: type(value) for key, value in service.items() if not isinstance(
            value, SERVICE_KEYS[key])} == {}  # fmt: skip
        assert set(service.get("healthcheck", {})) <= HEALTHCHECK_KEYS
        for one in service.get("networks", []):
            assert one in {"default", *content["networks"]}
        for one in service.get("volumes", []):
            source = one.partition(":/")[0]
            assert source.startswith(("./", "${")) or source in content["volumes"]
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert VARIABLE.findall(code) == []


@pytest.mark.parametrize("name", COMPOSE)
def test_services_of_a_compose_file_depend_on_services(name):
    """On those of the file, of compose.yaml, or of Coop's own file."""
    content, _ = read_compose(name)
    there = {*content["services"], *read_compose("compose.yaml")[0]["services"]}
    named = {
        one for service in content["services"].values() for one in service.get("depends_on", [])
    }
    assert named <= there


@pytest.mark.parametrize("name", COMPOSE)
def test_the_service_of_a_compose_file_is_started_as_it_can_be(name):
    """By the command `serve` with options of it; from other machines only with keys."""
    content, _ = read_compose(name)
    commands = [one["command"] for one in content["services"].values() if "command" in one]
    assert len(commands) == (name != "compose.yaml")
    for command, *options in commands:
        assert command == "serve"
        check_options(options)
        named = {one.partition("=")[0] for one in options}
        assert "--host" not in named or "--keys" in named


def test_the_service_runs_without_privileges():
    """In each compose file that defines it: a root that nothing writes to, no capability."""
    for name, service in (("compose.yaml", "service"), ("compose.coop.yaml", "screener")):
        settings = read_compose(name)[0]["services"][service]
        assert settings["read_only"] is True
        assert settings["cap_drop"] == ["ALL"]
        assert settings["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in settings.get("ports", []))


def test_the_containerfile():
    """Its last stage ends as a user that is not root, and serves with options that there are."""
    build = read_compose("compose.yaml")[0]["services"]["service"]["build"]
    assert (DEPLOY / build["context"]).resolve() == REPOSITORY
    *earlier, last = read_stages(REPOSITORY / build["dockerfile"])

    order = [name for name, _ in last.instructions]
    assert last.last("USER").isdecimal()
    assert last.last("USER") != "0"
    assert order.index("USER") > max(n for n, name in enumerate(order) if name == "RUN")
    (program,), (command, *options) = last.words("ENTRYPOINT"), last.words("CMD")
    assert (program, command) == ("/opt/screener/bin/screener", "serve")
    check_options(options)
    copied = {text.split()[0] for name, text in last.instructions if name == "COPY"}
    assert copied == {f"--from={stage.name}" for stage in earlier}
    sources = {text.split()[0] for name, text in earlier[0].instructions if name == "COPY"}
    kept = (REPOSITORY / ".dockerignore").read_text().split()
    assert kept == ["*", *(f"!{source}" for source in sources)]


@pytest.mark.parametrize("where", ["Containerfile", "compose.coop.yaml"])
def test_the_health_check_asks_the_service(server, where):
    """Its program ends with 0 if the service is ready, and otherwise does not."""
    if where == "Containerfile":
        (program, flag, code), port = read_stages(REPOSITORY / where)[-1].health(), 8000
    else:
        _, program, flag, code = read_compose(where)[0]["services"]["screener"]["healthcheck"][
            "test"
        ]
        port = 9876
    assert (program, flag) == ("/opt/screener/bin/python", "-c")
    address = f"http://127.0.0.1:{port}/"
    assert address in code
    for asked, healthy in ((server.url, True), ("http://127.0.0.1:9", False)):
        call = [sys.executable, "-c", code.replace(address, asked.rstrip("/") + "/")]
        assert (subprocess.run(call, capture_output=True).returncode == 0) is healthy
