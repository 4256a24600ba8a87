"""The files of `deploy/`, held to the command line, to the sources and to each other."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from deploy_toys import DEPLOY, ROOT

from arqlite.cli import cli

COMPOSE = DEPLOY / "compose.yaml"
UNIT = DEPLOY / "systemd" / "arqlite-worker@.service"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))

# What a worker needs beyond its job_completion_wait: for cancelled jobs to end, for the last ends, for rows.
LAST_WORDS_S = 3 + 5 + 5 + 5
# Variables that others read: the images, the interpreter.
OF_OTHERS = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "PATH"}


@dataclass(frozen=True)
class Command:
    """A command line of arqlite, and the file that has it."""

    file: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {shlex.join(self.words)}"

    @property
    def options(self) -> dict[str, str]:
        """Its options by name, `--a=b` and `--a b` alike."""
        joined = re.sub(r"(--[\w-]+) (?=[^-])", r"\1=", " ".join(self.words))
        return dict(re.findall(r"(--[\w-]+)=(\S+)", joined))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def services() -> dict[str, dict[str, Any]]:
    return dict(documents(COMPOSE)[0]["services"])


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every container of the manifests, with its file and its pod."""
    for path in MANIFESTS:
        for document in documents(path):
            pod = document.get("spec", {}).get("template", {}).get("spec", {})
            for container in pod.get("containers", ()):
                yield path.name, container, pod


def unit(key: str) -> str:
    [value] = re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return str(value)


def commands() -> Iterator[Command]:
    for name, service in services().items():
        if service.get("command", [""])[0] == "arqlite":
            yield Command(f"compose.yaml {name}", tuple(service["command"]))
        test = service.get("healthcheck", {}).get("test", [])
        if test[1:2] == ["arqlite"]:
            yield Command(f"compose.yaml {name} healthcheck", tuple(test[1:]))
    for file, container, _ in containers():
        yield Command(file, tuple(container["args"]))
    program, *words = shlex.split(unit("ExecStart").replace("%i", "1"))
    yield Command(UNIT.name, (Path(program).name, *words))
    [last] = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    yield Command("Dockerfile", tuple(yaml.safe_load(last)))


COMMANDS = list(commands())


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_is_accepted(command: Command) -> None:
    """Every command line of the files is one that the command line takes, with all its options and values."""
    program, *words = command.words
    assert program == "arqlite"
    if words[0] == "dashboard" and cli.get_command(click.Context(cli), "dashboard") is None:
        pytest.skip("this checkout has no dashboard")

    found: click.Command = cli
    context = click.Context(cli)
    while isinstance(found, click.Group):
        inner = found.get_command(context, words[0])
        if inner is None and found is cli:
            inner = cli.get_command(context, "worker")
        else:
            words.pop(0)
        assert inner is not None, f"there is no command {words}"
        found = inner

    found.make_context(found.name, words)


def test_commands_are_found() -> None:
    """The files have the commands that a deployment needs: workers, migration, dashboard, health."""
    kinds = {command.words[1].partition(".")[0] for command in COMMANDS}

    assert kinds == {"app", "db", "dashboard", "health"}


def test_settings_and_ledgers_are_there() -> None:
    """What the commands name can be imported with the variables that the files set."""
    paths = {word for command in COMMANDS for word in command.words if re.fullmatch(r"app(\.\w+)+", word)}
    environment = {
        **os.environ,
        "REDIS_URL": "redis://arqlite:x@localhost:6379/0",
        "DATABASE_URL": "postgresql+asyncpg://app:x@localhost/app",
    }
    code = "import sys\nfrom arqlite.utils import import_string as load\nfor path in sys.argv[1:]: load(path)"

    subprocess.run(
        [sys.executable, "-c", code, *sorted(paths)], cwd=ROOT, env=environment, check=True, timeout=60
    )

    assert len(paths) == 3


def test_every_variable_is_read() -> None:
    """Each variable that the files set is read somewhere, under exactly this name."""
    sources = [path.read_text() for folder in ("arqlite", "app") for path in (ROOT / folder).rglob("*.py")]
    names = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    names |= {name for service in services().values() for name in service.get("environment", {})}
    names |= {one["name"] for _, container, _ in containers() for one in container["env"]}
    if cli.get_command(click.Context(cli), "dashboard") is None:
        names = {name for name in names if not name.startswith("ARQLITE_DASHBOARD_")}

    unread = {name for name in names - OF_OTHERS if not any(f"{name}" in source for source in sources)}

    assert {"ARQLITE_REDIS_URL", "ARQLITE_LEDGER_URL", "DATA_DIR"} <= names
    assert unread == set()


def test_example_has_every_variable_of_compose() -> None:
    """What compose.yaml takes from `.env` stands in the example."""
    wanted = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text()))
    told = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / ".env.example").read_text(), re.MULTILINE))

    assert wanted <= told


def test_password_of_the_example_is_that_of_the_file() -> None:
    """The example's Redis URL opens the user of users.acl, so that a first try works."""
    example = (DEPLOY / ".env.example").read_text()
    users = (DEPLOY / "redis" / "users.acl").read_text()
    [(user, password)] = re.findall(r"^ARQLITE_REDIS_URL=redis://(\w+):([\w-]+)@", example, re.MULTILINE)

    assert f"user {user} on >{password} " in users


def test_ports_of_compose_agree() -> None:
    """The health check asks where its worker answers."""
    [asked] = [one for one in COMMANDS if one.file == "compose.yaml worker healthcheck"]
    [served] = [one for one in COMMANDS if one.file == "compose.yaml worker"]

    assert asked.options["--url"] == f"http://127.0.0.1:{served.options['--health-port']}/readyz"
    for service in services().values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_ports_of_the_manifests_agree() -> None:
    """Probes ask a named port that the worker listens at, at all addresses; KEDA asks the dashboard."""
    seen = 0
    for file, container, _ in containers():
        options = Command(file, tuple(container["args"])).options
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        if "health" in ports:
            seen += 1
            assert str(ports["health"]) == options["--health-port"]
            assert options["--health-host"] == "0.0.0.0"
            probes = {
                name: container[name]["httpGet"]
                for name in ("startupProbe", "readinessProbe", "livenessProbe")
            }
            assert {probe["port"] for probe in probes.values()} == {"health"}
            assert [probe["path"] for probe in probes.values()] == ["/startupz", "/readyz", "/livez"]
        if "http" in ports:
            seen += 1
            assert str(ports["http"]) == options["--port"]
    [scaled, _] = documents(DEPLOY / "kubernetes" / "scaledobject.yaml")
    url = scaled["spec"]["triggers"][0]["metadata"]["url"]
    [_, service] = documents(DEPLOY / "kubernetes" / "dashboard.yaml")

    assert seen == 2
    assert url.startswith(
        f"http://{service['metadata']['name']}.default.svc:{service['spec']['ports'][0]['port']}/"
    )


def test_manifests_mean_each_other() -> None:
    """Selectors, targets and keys of the secret are those of the other files."""
    found = {(one["kind"], one["metadata"]["name"]): one for path in MANIFESTS for one in documents(path)}
    labels = found["Deployment", "myapp-worker"]["spec"]["template"]["metadata"]["labels"]
    keys = set(found["Secret", "arqlite"]["stringData"])
    text = "".join(path.read_text() for path in MANIFESTS)

    assert found["Deployment", "myapp-worker"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget", "myapp-worker"]["spec"]["selector"]["matchLabels"] == labels
    scaled = found["ScaledObject", "myapp-worker"]["spec"]
    assert ("Deployment", scaled["scaleTargetRef"]["name"]) in found
    assert ("TriggerAuthentication", scaled["triggers"][0]["authenticationRef"]["name"]) in found
    assert set(re.findall(r"name: arqlite, key: ([\w-]+)", text)) == keys


def test_jobs_have_their_time() -> None:
    """Each supervisor waits longer than the settings let jobs run on, and what follows them."""
    from app.core.worker.common import CommonSettings

    needed = CommonSettings.job_completion_wait + LAST_WORDS_S
    compose = int(services()["worker"]["stop_grace_period"].removesuffix("s"))
    [pod] = [pod for file, _, pod in containers() if file == "worker.yaml"]
    extension = 15 + 30  # what the worker asks for by itself, see arqlite/probes/systemd.py

    assert compose > needed
    assert pod["terminationGracePeriodSeconds"] > needed
    assert int(unit("TimeoutStopSec")) + extension > needed
    assert unit("Type") == "notify"
    assert int(unit("WatchdogSec")) > 30


def test_containers_are_nobodys_root() -> None:
    """No container runs as root, gains privileges or writes to its image; signals reach the worker."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^USER (?!0\b|root\b)", dockerfile, re.MULTILINE)
    assert not re.search(r"^(CMD|ENTRYPOINT) [^\[]", dockerfile, re.MULTILINE)
    for _, container, pod in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
    for name, service in services().items():
        assert name in ("valkey", "db") or (service["read_only"] and service["cap_drop"] == ["ALL"])


def test_image_is_made_of_what_is_there() -> None:
    """Every file that the Dockerfile copies is in the checkout, and let through to the build."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile, re.MULTILINE)
        for name in line.split()[:-1]
    }
    let_through = set(re.findall(r"^!(.*)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text()

    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
    [extras] = re.findall(r'"\.\[([\w,]+)\]"', dockerfile)
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in [*extras.split(","), "app"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing to say about the unit, once its program is there."""
    program = shutil.which("true")
    text = UNIT.read_text().replace("/srv/myapp/.venv/bin/arqlite", str(program))
    text = text.replace("User=myapp\nGroup=myapp\n", "")
    (tmp_path / UNIT.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "arqlite-worker@1.service")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    said = [line for line in done.stderr.splitlines() if "arqlite" in line or str(tmp_path) in line]
    assert (done.returncode, said) == (0, [])
