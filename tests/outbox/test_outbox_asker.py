"""Who asked for a job: told with it, and in its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from outbox_toys import QUEUE, Shop, confirm

from arqlite import ArqRedis, Worker, call
from arqlite.errors import ConfigurationError
from arqlite.model.codec import Codec, blob_of
from arqlite.workflows import Workflow


async def envelope(pool: ArqRedis, job_id: str) -> dict[str, Any]:
    return Codec().decode_job(blob_of((await pool.queue(QUEUE).engine.peek(job_id)).record))


async def test_job_that_a_job_enqueues_has_a_parent(
    arq_redis: ArqRedis, make_worker: Callable[..., Worker]
) -> None:
    """Inside a job its id is the parent of what it enqueues, with a ledger or without."""

    async def parent(ctx: dict[str, Any]) -> str:
        return (await ctx["redis"].options(delay=60).enqueue(confirm, "a")).job_id

    first = await arq_redis.enqueue(parent)
    await make_worker([parent], max_burst_jobs=1).main()

    assert (await envelope(arq_redis, await first.result()))["pa"] == first.job_id


async def test_who_asked_travels_with_the_job(arq_redis: ArqRedis) -> None:
    """`triggered_by` and `parent` are in the envelope, also of many and of calls of their own."""
    common = arq_redis.options(triggered_by="ada", parent="p")
    jobs = await common.enqueue_many([call(confirm, "a"), call(confirm, "b").options(triggered_by="bob")])

    told = [await envelope(arq_redis, job.job_id) for job in jobs]
    assert [(one["by"], one["pa"]) for one in told] == [("ada", "p"), ("bob", "p")]


async def test_row_names_the_running_job(shop: Shop) -> None:
    """Rows tell the parent, too."""
    async with shop.sessions() as db, db.begin():
        job = await shop.pool.options(session=db, parent="p", triggered_by="ada").enqueue(confirm, "a")

    row = await shop.row(job.job_id)
    assert (row.parent, row.triggered_by) == ("p", "ada")


@pytest.mark.parametrize("name", ["session", "ledger", "row"])
async def test_steps_are_in_no_transaction(shop: Shop, name: str) -> None:
    """A workflow says clearly that it cannot be enqueued in a transaction."""
    async with shop.sessions() as db:
        options: Any = {"session": db, "ledger": "strict", "row": {"user_id": 1}}
        with pytest.raises(ConfigurationError, match=f"option {name}"):
            Workflow("w").add("one", call(confirm, "a").options(**{name: options[name]}))
        with pytest.raises(ConfigurationError, match="single jobs"):
            shop.pool.options(session=db).enqueue_workflow(Workflow("w"))
