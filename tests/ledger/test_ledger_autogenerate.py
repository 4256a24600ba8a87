"""An application's own Alembic beside the ledger's tables."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from schema_toys import KINDS, database
from sqlalchemy import Connection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from arqlite.ledger import JobRowMixin, Ledger, include_object, render_item


class Base(DeclarativeBase):
    pass


class OwnJob(JobRowMixin, Base):
    __tablename__ = "own_jobs"

    tenant: Mapped[str | None] = mapped_column()


@pytest.fixture(params=KINDS)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger with its tables; the test runs once with each driver."""
    async with database(request.param, request, tmp_path) as made:
        ledger = Ledger(made.connect(), row_model=OwnJob)
        await ledger.upgrade()
        yield ledger


async def generated(ledger: Ledger, **options: Any) -> str:
    """The operations that the application's `alembic revision --autogenerate` would write."""

    def generate(connection: Connection) -> str:
        context = MigrationContext.configure(
            connection, opts={**options, "target_metadata": Base.metadata, "sqlalchemy_module_prefix": "sa."}
        )
        operations = produce_migrations(context, Base.metadata).upgrade_ops
        return render_python_code(operations, migration_context=context, render_item=options["render_item"])

    async with ledger.engine.connect() as connection:
        return await connection.run_sync(generate)


async def test_autogenerate_leaves_the_ledger_alone(ledger: Ledger) -> None:
    """With the helper an autogenerate writes the application's tables, and drops none of the library's."""
    told = await generated(ledger, include_object=include_object, render_item=render_item)

    assert "create_table('own_jobs'" in told
    assert "arqlite" not in told


async def test_autogenerate_without_the_helper_would_drop(ledger: Ledger) -> None:
    """Without it the library's tables would go: this is what the helper is for."""
    told = await generated(ledger, render_item=render_item)

    assert "drop_table('arqlite_jobs')" in told
    assert "drop_table('arqlite_alembic_version')" in told


async def test_generated_operations_run(ledger: Ledger) -> None:
    """What it writes needs no import of ours, makes the table, and finds no difference afterwards."""
    options = {"include_object": include_object, "render_item": render_item}
    code = "import sqlalchemy as sa\n" + "\n".join(
        line.strip() for line in (await generated(ledger, **options)).splitlines()
    )

    def run(connection: Connection) -> None:
        exec(code, {"op": Operations(MigrationContext.configure(connection))})

    async with ledger.engine.begin() as connection:
        await connection.run_sync(run)

    await ledger.check()
    assert "op." not in await generated(ledger, **options)
