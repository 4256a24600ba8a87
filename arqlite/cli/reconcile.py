"""`arqlite reconcile`: rows and Redis compared in full, and mended where they differ."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from .broken import load_in_words
from .db import in_words, let_threads_end
from .defaults import named_one
from .output import output_option, tell_json
from .worker import told_in_words

if TYPE_CHECKING:
    from ..reconcile.repairs import Mended

_DIFFERS = 1
_MEANINGS = {
    "pushed": "not in Redis, put there again",
    "failed": "not in Redis, and the row does not keep what the job is made of: FAILED, cause LOST",
    "settled": "over, and the row did not say so",
    "retired": "over by its row, and waiting in Redis: taken out",
    "requeued": "waiting in Redis, and the row said otherwise",
    "opened": "in Redis without a row: one was written",
}


@click.command()
@click.argument("settings", metavar="[SETTINGS]", required=False)
@click.option(
    "--dry-run", is_flag=True, help="Tell what differs; change nothing. Ends with 1 if anything does."
)
@click.option("--queue", help="Another queue of the same Redis than that of SETTINGS.")
@output_option()
def reconcile(settings: str | None, dry_run: bool, queue: str | None, output: str) -> None:
    """Compare the ledger with Redis, and make the two agree.

    The leader among the workers does so by itself, all the time. This is for those who want to know, or who
    cannot wait. SETTINGS is the path of a worker's settings with a ledger: package.module.WorkerSettings.
    """
    path = named_one(settings, "which ledger and Redis?")
    with told_in_words(lambda: True), in_words():
        mended, is_behind = asyncio.run(_reconcile(load_in_words(path), path, queue, dry_run))
    if is_behind:
        raise click.ClickException(
            "a worker has still to write what became of its jobs: try again in a moment"
        )
    if output == "json":
        tell_json(dataclasses.asdict(mended) | {"dry_run": dry_run})
    else:
        _tell(mended, dry_run)
    if dry_run and mended:
        sys.exit(_DIFFERS)


async def _reconcile(found: Any, path: str, queue: str | None, dry_run: bool) -> tuple[Mended, bool]:
    """Returns what was mended, and whether nothing could be, since rows are behind."""
    from .. import constants
    from ..connections import create_pool
    from ..engine import RedisEngine
    from ..ledger.given import ledger_of
    from ..model.codec import Codec
    from ..reconcile.comparison import Comparison
    from ..reconcile.once import reconcile_once
    from ..reconcile.repairs import Mended, Mender
    from ..settings import get_kwargs, with_default_ledger

    told = with_default_ledger(get_kwargs(found))
    if told.get("ledger") is None:
        raise click.UsageError(f"{path} has no ledger")
    ledger = ledger_of(told["ledger"])
    codec = Codec(told.get("job_serializer"), told.get("job_deserializer"))
    pool = told.get("redis_pool") or await create_pool(told.get("redis_settings"))
    try:
        await ledger.check()
        name = queue or told.get("queue_name") or constants.default_queue_name
        engine = RedisEngine(pool, name)
        try:
            if not dry_run and (await engine.watch()).lag_ms:
                return Mended(), True
            mender = None if dry_run else Mender(engine, ledger, codec)
            mended = await reconcile_once(
                Comparison(engine, ledger, codec), mender, actor=os.environ.get("USER", "")
            )
        finally:
            await engine.close()
    finally:
        await pool.aclose(close_connection_pool=True)
        await ledger.engine.dispose()
        await let_threads_end()
    return mended, False


def _tell(mended: Mended, dry_run: bool) -> None:
    counts = {name: count for name, count in dataclasses.asdict(mended).items() if count}
    if not counts:
        click.echo("ledger and Redis agree")
        return
    click.echo("would be:" if dry_run else "was done:")
    for name, count in counts.items():
        click.echo(f"  {name:<9}{count:>9,}  {_MEANINGS[name]}")
