"""`arqlite init`: files that work, and none that are lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit_toys import command, python
from click.testing import CliRunner

from arqlite.cli.init import init


@pytest.mark.parametrize(("options", "module"), [([], "tasks"), (["--fastapi"], "app")])
def test_written_test_passes(tmp_path: Path, options: list[str], module: str) -> None:
    """The test that is written is green at once, and the next command is told."""
    done = command(tmp_path, "init", *options)
    tested = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"{module}.py", f"test_{module}.py", "pyproject.toml"]
    )
    assert "next:  arqlite dev\n" in done.stdout
    assert "2 passed" in tested.stdout


@pytest.mark.parametrize("is_there", [True, False])
def test_what_the_test_needs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    """Where there is no pytest, it is said how to have it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: is_there or None)

    told = CliRunner().invoke(init, [str(tmp_path / "shop")], catch_exceptions=False)

    assert "run it with pytest" in told.output
    assert ("pip install pytest" in told.output) is not is_there


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Where one of the files is there already, none is written."""
    (tmp_path / "test_tasks.py").write_text("mine")

    done = command(tmp_path, "init")

    assert done.returncode == 1
    assert f"test_tasks.py is in {tmp_path} already; nothing was written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["test_tasks.py"]
    assert (tmp_path / "test_tasks.py").read_text() == "mine"


def test_folder_is_made(tmp_path: Path) -> None:
    """A folder that is not there yet is made, and the next command goes there."""
    done = command(tmp_path, "init", "shop/jobs")

    assert (tmp_path / "shop/jobs/tasks.py").exists()
    assert "next:  cd shop/jobs && arqlite dev\n" in done.stdout


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git"])
def test_project_that_is_there_stays_as_it_is(tmp_path: Path, mark: str) -> None:
    """In a project of somebody no pyproject.toml is written, and the next command names the settings."""
    (tmp_path / mark).write_text("")

    done = command(tmp_path, "init", "jobs")

    assert sorted(path.name for path in (tmp_path / "jobs").iterdir()) == ["tasks.py", "test_tasks.py"]
    assert (tmp_path / mark).read_text() == ""
    assert "next:  cd jobs && arqlite dev tasks.WorkerSettings\n" in done.stdout


def test_settings_of_a_new_project_are_named(tmp_path: Path) -> None:
    """In a project that was written here commands know the settings."""
    command(tmp_path, "init")

    done = command(tmp_path, "config", "show")

    assert (done.returncode, "tasks.WorkerSettings" in done.stdout) == (0, True)


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """What cannot be made is told in words."""
    (tmp_path / "shop").write_text("a file")

    done = command(tmp_path, "init", "shop/jobs")

    assert done.returncode == 1
    assert "cannot write into shop/jobs: Not a directory" in done.stderr


@pytest.mark.real
def test_written_api_accepts_jobs(tmp_path: Path, real_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API that is written enqueues a job, and its routes tell of it."""
    monkeypatch.setenv("ARQLITE_REDIS_URL", real_url)
    command(tmp_path, "init", "--fastapi")
    code = (
        "import asyncio, httpx; from app import app\n"
        "async def main():\n"
        "    transport = httpx.ASGITransport(app)\n"
        "    async with app.router.lifespan_context(app), "
        "httpx.AsyncClient(transport=transport, base_url='http://shop.test') as client:\n"
        "        answer = await client.post('/charges?amount=5')\n"
        "        told = await client.get(answer.headers['Location'])\n"
        "        print(answer.status_code, told.json()['function'], told.json()['state'])\n"
        "asyncio.run(main())"
    )

    done = python(tmp_path, "-c", code)

    assert done.stdout == "202 charge available\n", done.stderr
