"""`arqlite init`: the first files of a project."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from .starters import files


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--fastapi", "for_fastapi", is_flag=True, help="Write an API that enqueues them, too.")
def init(folder: Path, for_fastapi: bool) -> None:
    """Write two jobs, the settings of their worker, and a test.

    They go into DIR, by default the current folder. No file is ever overwritten.
    """
    texts = files(for_fastapi=for_fastapi)
    if taken := [name for name in texts if (folder / name).exists()]:
        raise click.ClickException(
            f"{' and '.join(taken)} {'is' if len(taken) == 1 else 'are'} in {folder.resolve()} already; "
            "nothing was written. Another folder: arqlite init DIR"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise click.ClickException(f"cannot write into {folder}: {error.strerror or error}") from error
    _tell(folder, list(texts), for_fastapi=for_fastapi)


def _tell(folder: Path, names: list[str], *, for_fastapi: bool) -> None:
    jobs, test = (str(folder / name) for name in names)
    module = Path(jobs).stem
    click.echo(f"wrote {jobs}: two jobs, and the settings of their worker")
    click.echo(f"wrote {test}: their test; run it with pytest")
    if for_fastapi and importlib.util.find_spec("fastapi") is None:
        click.echo('first: pip install "arqlite[fastapi]" uvicorn')
    go = "" if folder == Path() else f"cd {folder} && "
    click.echo(f"next:  {go}arqlite dev {module}.WorkerSettings")
    if for_fastapi:
        click.echo(f"then:  {go}uvicorn {module}:app")
