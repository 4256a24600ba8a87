"""Databases without any table, and what tests find in them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from arqlite.ledger import configure_sqlite

KINDS = ["sqlite", "asyncpg", "psycopg"]


class Database:
    """An empty database, to which a test may connect as often as it likes.

    Attributes:
        url: where it is.
        schema: of PostgreSQL, the schema that is all there is to it.
    """

    def __init__(self, url: str, schema: str | None = None) -> None:
        self.url = url
        self.schema = schema
        self.engines: list[AsyncEngine] = []

    def connect(self, **options: Any) -> AsyncEngine:
        """Make an engine of its own, as another process has one."""
        arguments: dict[str, Any] = {}
        if "asyncpg" in self.url:
            arguments = {"server_settings": {"search_path": self.schema}}
        elif "psycopg" in self.url:
            arguments = {"options": f"-csearch_path={self.schema}"}
        self.engines.append(
            configure_sqlite(create_async_engine(self.url, connect_args=arguments, **options))
        )
        return self.engines[-1]


@asynccontextmanager
async def database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of a kind."""
    if kind == "sqlite":
        made = Database(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    else:
        schema = f"t{uuid.uuid4().hex}"
        url = request.getfixturevalue("postgres_url").replace("+asyncpg", f"+{kind}")
        made = Database(url, schema)
        async with made.connect().begin() as connection:
            await connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        yield made
    finally:
        for engine in made.engines:
            await engine.dispose()


async def shape(engine: AsyncEngine) -> dict[str, Any]:
    """All that the database can tell of the ledger's tables."""
    async with engine.connect() as connection:
        return await connection.run_sync(_shape)


def _shape(connection: Connection) -> dict[str, Any]:
    found = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"] is not None)
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table)["constrained_columns"],
            "checks": {check["name"] for check in found.get_check_constraints(table)},
            "indexes": {
                (index["name"], tuple(index["column_names"]), index["unique"], str(_condition(index)))
                for index in found.get_indexes(table)
            },
        }
        for table in found.get_table_names()
        if table.startswith("arqlite_") and table != "arqlite_alembic_version"
    }


def _condition(index: Any) -> Any:
    options = index.get("dialect_options", {})
    return options.get("sqlite_where", options.get("postgresql_where"))
