"""What `.ci/run` does before the tests, where the machine has Chromium, can get it, or can not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

RUN = Path(__file__).parents[1] / ".ci" / "run"
SKIPS = "THE TESTS IN A BROWSER ARE SKIPPED"
INSTALLS = """
echo "$@" >>"$ROOT/asked"
[ "$1" != install ] || { : >"$ROOT/bin/chromium"; chmod +x "$ROOT/bin/chromium"; }
"""
ASKED = ["update -qq", "install -y -qq --no-install-recommends chromium"]

pytestmark = pytest.mark.skipif(not RUN.exists(), reason="this is no checkout")


class Machine:
    """A checkout whose scripts do nothing, on a machine with these commands only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("bin", "scripts", ".ci"):
            (root / folder).mkdir()
        shutil.copy(RUN, root / ".ci")
        (root / "scripts" / "_env.sh").touch()
        self.add("../scripts/check", "echo checks")
        self.add("../scripts/test", "echo tests")
        for name in ("bash", "sh", "dirname", "timeout", "chmod"):
            found = shutil.which(name)
            assert found is not None
            (root / "bin" / name).symlink_to(found)
        self.add("id", "echo 0")

    def add(self, name: str, code: str) -> None:
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)

    def run(self, **environment: str) -> str:
        """All that is said; the tests of this checkout are reached."""
        done = subprocess.run(
            [self.root / ".ci" / "run"],
            env={"PATH": str(self.root / "bin"), "ROOT": str(self.root), **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert done.stdout.endswith("checks\n\n===== tests =====\ntests\n")
        return done.stdout

    def asked(self) -> list[str]:
        """What apt-get was asked."""
        path = self.root / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_chromium_that_is_there_is_taken(machine: Machine) -> None:
    """Nothing is installed where Chromium or Chrome is found, or where one is named."""
    machine.add("apt-get", INSTALLS)

    assert SKIPS not in machine.run(ARQLITE_CHROMIUM="/opt/chromium")
    machine.add("google-chrome", "")
    assert SKIPS not in machine.run()

    assert machine.asked() == []


def as_root(machine: Machine) -> None:
    machine.add("sudo", "exit 1")


def as_another(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    machine.add("sudo", '[ "$1" = -n ] && shift && exec "$@"')


@pytest.mark.parametrize("user", [as_root, as_another])
def test_missing_chromium_is_installed(machine: Machine, user: Callable[[Machine], None]) -> None:
    """apt-get is asked for it, by root or by whom sudo lets without a password."""
    user(machine)
    machine.add("apt-get", INSTALLS)

    assert SKIPS not in machine.run()

    assert machine.asked() == ASKED


def test_lists_that_cannot_be_fetched_need_not_matter(machine: Machine) -> None:
    """One source of packages that is away does not keep Chromium from being installed by another."""
    machine.add("apt-get", f'{INSTALLS}\n[ "$1" = install ]')

    assert SKIPS not in machine.run()

    assert machine.asked() == ASKED


def no_mirror(machine: Machine) -> None:
    machine.add("apt-get", "echo no mirror >&2; exit 100")


def no_rights(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    machine.add("apt-get", INSTALLS)
    machine.add("sudo", "echo a password is required >&2; exit 1")


def no_apt(machine: Machine) -> None: ...


def no_end(machine: Machine) -> None:
    machine.add("apt-get", 'echo "$@" >>"$ROOT/asked"; read -r line <"$ROOT/never"')
    os.mkfifo(machine.root / "never")
    (machine.root / "bin" / "timeout").unlink()
    timeout = shutil.which("timeout")
    machine.add("timeout", f'[ "$2" = 300 ] || exit 1; shift 2; exec {timeout} --kill-after=10 0.2 "$@"')


@pytest.mark.parametrize("lacks", [no_mirror, no_rights, no_apt, no_end])
def test_run_goes_on_without_chromium(machine: Machine, lacks: Callable[[Machine], None]) -> None:
    """Where Chromium cannot be had, one line says loudly that its tests are skipped, and all others run."""
    lacks(machine)

    said = machine.run()

    assert said.count(SKIPS) == 1
