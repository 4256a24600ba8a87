"""Workflows of a pool with a ledger: each step has its row from the beginning."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from outbox_toys import QUEUE, LedgerStatus, Shop, confirm
from redis.exceptions import ConnectionError as RedisAway
from worker_ledger_toys import Switch

from arqlite import Workflow, call, chain
from arqlite.engine import RedisEngine
from arqlite.errors import LedgerUnavailable
from arqlite.model.states import Cause, JobState
from arqlite.reconcile import Reconciler
from arqlite.runtime.trust import Trust

Eventually = Callable[..., Any]


@pytest.fixture(params=["behind", "strict"])
def either(request: pytest.FixtureRequest, shop: Shop) -> Shop:
    """The pool, with a ledger of each mode."""
    shop.pool.ledger.mode = request.param
    return shop


def order() -> Workflow:
    flow = Workflow("order")
    pay = flow.add("pay", call(confirm, "a", copies=2).options(tags=["money"], priority=3))
    flow.add("send", call(confirm, pay.result), after=[pay])
    return flow


async def test_steps_have_rows(either: Shop) -> None:
    """A step that may begin is QUEUED, and so is one that waits, as `suspended`."""
    run = await either.pool.enqueue_workflow(order())
    await either.pool.outbox.followers.aclose()

    pay = await either.row((await run.job("pay")).job_id)
    send = await either.row((await run.job("send")).job_id)
    assert (pay.status, pay.state, pay.args, pay.kwargs) == ("QUEUED", "available", ["a"], {"copies": 2})
    assert (pay.tags, pay.priority, pay.function, pay.pushed_at is None) == (["money"], 3, "confirm", False)
    assert (send.status, send.state, send.function) == ("QUEUED", JobState.SUSPENDED, "confirm")


async def test_workflow_of_which_nothing_is_written_is_not_stored(shop: Shop) -> None:
    """With a strict ledger that is away the workflow is not accepted, as a job is not."""
    shop.pool.ledger.mode = "strict"
    switch = Switch(shop.engine)
    switch.is_off = True

    with pytest.raises(LedgerUnavailable):
        await shop.pool.enqueue_workflow(order())

    switch.is_off = False
    assert await shop.untouched()


async def test_no_part_of_a_workflow_is_begun_by_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed and did not reach Redis is not pushed: half a workflow is none."""
    shop.pool.ledger.mode = "strict"

    async def fail(engine: RedisEngine, flow: Any) -> bool:
        raise RedisAway("gone")

    monkeypatch.setattr(RedisEngine, "compose", fail)
    with pytest.raises(RedisAway):
        await shop.pool.enqueue_workflow(chain(call(confirm, "a"), call(confirm, "b")))

    await shop.relay().tick()
    await reconcile(shop)

    assert await shop.queued() == set()
    assert {(row.status, row.cause) for row in (await shop.rows()).values()} == {("FAILED", Cause.LOST)}


async def test_lost_workflow_is_told(either: Shop) -> None:
    """When Redis loses a workflow, its steps do not wait for ever by their rows: they are FAILED, as lost."""
    await reconcile(either)
    await either.pool.enqueue_workflow(order())
    await either.pool.outbox.followers.aclose()
    await either.pool.flushall()

    await reconcile(either)

    rows = (await either.rows()).values()
    assert {(row.status, row.state, row.cause) for row in rows} == {
        (LedgerStatus.FAILED, JobState.DISCARDED, Cause.LOST)
    }
    assert all("Redis lost the job" in row.error_payload["message"] for row in rows)


async def reconcile(shop: Shop) -> None:
    """Compare rows and Redis as the leader of the queue does, without the waiting."""

    async def sleep(_: float) -> None:
        pass

    reconciler = Reconciler(
        shop.pool.ledger, shop.pool.queue(QUEUE).engine, Trust(is_firm=False), sleep=sleep, clock=_long_after
    )
    reconciler.leads = lambda: True  # type: ignore[method-assign]
    for _ in range(4):
        await reconciler.tick()


def _long_after() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=60)
