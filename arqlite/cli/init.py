"""`arqlite init`: the first files of a project."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from .defaults import FILE, is_in_project
from .output import output_option, tell_json
from .starters import default_settings, files

_NEEDS = ", which is not installed: pip install pytest"


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--fastapi", "for_fastapi", is_flag=True, help="Write an API that enqueues them, too.")
@output_option()
def init(folder: Path, for_fastapi: bool, output: str) -> None:
    """Write two jobs, the settings of their worker, and a test.

    They go into DIR, by default the current folder; where that is in no project yet, a pyproject.toml that
    names the settings goes with them. No file is ever overwritten.
    """
    texts = files(for_fastapi=for_fastapi)
    if taken := [name for name in texts if (folder / name).exists()]:
        raise click.ClickException(
            f"{' and '.join(taken)} {'is' if len(taken) == 1 else 'are'} in {folder.resolve()} already; "
            "nothing was written. Another folder: arqlite init DIR"
        )
    jobs = next(iter(texts))
    settings = f"{Path(jobs).stem}.WorkerSettings"
    has_defaults = not is_in_project(folder)
    if has_defaults:
        texts[FILE] = default_settings(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise click.ClickException(f"cannot write into {folder}: {error.strerror or error}") from error
    steps = list(_steps(folder, Path(jobs).stem, "" if has_defaults else settings, for_fastapi=for_fastapi))
    if output == "json":
        written = [str(folder / name) for name in texts]
        tell_json({"written": written, "settings": settings, "steps": [step for _, step in steps]})
    else:
        _tell(folder, list(texts), steps)


def _steps(folder: Path, module: str, settings: str, *, for_fastapi: bool) -> list[tuple[str, str]]:
    """What to type next, each with a word in front."""
    go = "" if folder == Path() else f"cd {folder} && "
    steps = [("next", f"{go}arqlite dev {settings}".rstrip())]
    if for_fastapi:
        if importlib.util.find_spec("fastapi") is None:
            steps.insert(0, ("first", 'pip install "arqlite[fastapi]" uvicorn'))
        steps.append(("then", f"{go}uvicorn {module}:app"))
    return steps


def _lacks_pytest() -> bool:
    return importlib.util.find_spec("pytest") is None


def _tell(folder: Path, names: list[str], steps: list[tuple[str, str]]) -> None:
    jobs, test, *others = (str(folder / name) for name in names)
    click.echo(f"wrote {jobs}: two jobs, and the settings of their worker")
    click.echo(f"wrote {test}: their test; run it with pytest{_NEEDS if _lacks_pytest() else ''}")
    for other in others:
        click.echo(f"wrote {other}: which settings are meant where a command names none")
    for word, step in steps:
        click.echo(f"{word + ':':<6} {step}")
