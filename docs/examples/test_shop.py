"""The page about testing as a module of tests: `pytest test_shop.py`."""

from datetime import datetime, timedelta

import pytest
from shop import PaymentDown, WorkerSettings, pay, place_order, remind, report

from arqlite import ledger
from arqlite.testing import (
    ANY,
    all_enqueued,
    assert_enqueued,
    build_job,
    cron_time,
    drain_queue,
    perform_job,
    refute_enqueued,
    testing_mode,
)


class Payments:
    """A double of the payment service; it can be told to be down."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.charged: list[int] = []

    async def charge(self, order: int) -> str:
        if self.down:
            raise PaymentDown
        self.charged.append(order)
        return f"receipt {order}"


async def test_payment():
    assert await pay({"payments": Payments()}, 1) == "receipt 1"


async def test_payment_as_a_job():
    assert await perform_job(pay, 1, ctx={"payments": Payments()}) == "receipt 1"


async def test_payment_while_the_service_is_down():
    with pytest.raises(PaymentDown):
        await perform_job(pay, 1, ctx={"payments": Payments(down=True)})


async def test_last_attempt():
    job = build_job(pay, 1, errors=[PaymentDown("at first")] * 4)
    assert (job.attempt, job.errors[0].message) == (5, "at first")

    assert await perform_job(job, ctx={"payments": Payments()}) == "receipt 1"


async def test_order_enqueues_its_jobs(arqlite_redis):
    await place_order(arqlite_redis, 1)

    await assert_enqueued(arqlite_redis, pay, args={"order": 1}, meta={"shop": ANY})
    await assert_enqueued(arqlite_redis, remind, args=[1], delay=timedelta(days=7))
    await refute_enqueued(arqlite_redis, pay, args={"order": 2})
    assert [job.function for job in await all_enqueued(arqlite_redis)] == ["remind", "pay"]


async def test_order_is_paid(arqlite_redis):
    payments = Payments()
    await place_order(arqlite_redis, 1)

    counts = await drain_queue(arqlite_redis, WorkerSettings, ctx={"payments": payments})

    assert counts.success == 1  # the reminder is not due
    assert payments.charged == [1]


async def test_payment_is_given_up(arqlite_redis):
    job = await arqlite_redis.enqueue(pay, 1)

    counts = await drain_queue(
        arqlite_redis,
        [pay],
        with_recursion=True,
        with_scheduled=True,
        ctx={"payments": Payments(down=True)},
    )

    assert (counts.failure, counts.discarded) == (4, 1)
    assert [error.type for error in await job.errors()] == ["PaymentDown"] * 5


async def test_order_inline(arqlite_redis):
    payments = Payments()

    with testing_mode("inline", ctx={"payments": payments}):
        await place_order(arqlite_redis, 1)

    assert payments.charged == [1]
    await refute_enqueued(arqlite_redis)


async def test_order_with_a_worker(arqlite_redis, arqlite_worker):
    job = await arqlite_redis.enqueue(pay, 1)

    await arqlite_worker([pay], ctx={"payments": Payments()}).run_check()

    assert await job.result() == "receipt 1"


async def test_reminder_after_a_week(arqlite_redis, arqlite_clock):
    job = await arqlite_redis.options(delay=timedelta(days=7)).enqueue(remind, 1)

    arqlite_clock.advance(timedelta(days=6))
    assert (await drain_queue(arqlite_redis, [remind])).success == 0
    arqlite_clock.advance(timedelta(days=1))
    assert (await drain_queue(arqlite_redis, [remind])).success == 1
    assert await job.result() is None


async def test_report_at_nine(arqlite_redis, arqlite_clock):
    arqlite_clock.move_to(datetime(2030, 4, 1, 8).astimezone())
    async with cron_time(arqlite_redis, WorkerSettings) as cron:
        arqlite_clock.move_to(datetime(2030, 4, 1, 9).astimezone())
        await cron.tick()

    await assert_enqueued(arqlite_redis, "report")
    assert (await drain_queue(arqlite_redis, WorkerSettings)).success == 1
    assert await report({}) is None


async def test_order_on_a_real_server(arqlite_valkey):
    job = await arqlite_valkey.enqueue(pay, 2)

    await drain_queue(arqlite_valkey, [pay], ctx={"payments": Payments()})

    assert await job.result() == "receipt 2"


async def test_payment_has_a_row(arqlite_redis, arqlite_worker, arqlite_ledger):
    await arqlite_redis.enqueue(pay, 1)

    services = [arqlite_ledger.recorder()]
    await arqlite_worker([pay], ctx={"payments": Payments()}, services=services).run_check()

    [row] = await arqlite_ledger.rows()
    assert (row.function, row.status, row.attempt) == ("pay", ledger.LedgerStatus.SUCCESS, 1)
