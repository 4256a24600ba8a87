"""The page about testing as a module of tests: `pytest test_shop.py`."""

from collections.abc import AsyncIterator
from datetime import timedelta

import fakeredis
import pytest
import pytest_asyncio
from shop import PaymentDown, pay, place_order, remind

from arqlite import ArqRedis, Job, RedisSettings, Retry, Worker, create_pool
from arqlite.embedded import EmbeddedServer


class Payments:
    """A double of the payment service; it can be told to be down."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down

    async def charge(self, order: int) -> str:
        if self.down:
            raise PaymentDown
        return f"receipt {order}"


async def test_payment():
    ctx = {"payments": Payments(), "job_id": "pay-1", "job_try": 1}

    assert await pay(ctx, 1) == "receipt 1"


async def test_payment_is_tried_again_later():
    with pytest.raises(Retry) as caught:
        await pay({"payments": Payments(down=True), "job_try": 2}, 1)

    assert caught.value.defer_score == 20_000  # in ms


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[ArqRedis]:
    fake = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    pool = ArqRedis(fake.connection_pool)
    yield pool
    await pool.aclose(close_connection_pool=True)


async def test_order_enqueues_its_jobs(pool: ArqRedis):
    await place_order(pool, 1)

    payment, reminder = await pool.queued_jobs()
    assert (payment.function, payment.args, payment.job_id) == ("pay", (1,), "pay-1")
    assert reminder.function == "remind"
    assert round((reminder.score - payment.score) / 1000) == timedelta(days=7).total_seconds()


async def test_order_is_paid(pool: ArqRedis):
    await pool.options(job_id="pay-1").enqueue(pay, 1)

    done = await run_all(pool, Payments())

    assert done == 1
    assert await Job("pay-1", pool).result() == "receipt 1"


async def run_all(pool: ArqRedis, payments: Payments) -> int:
    worker = Worker(
        [pay, remind], redis_pool=pool, burst=True, handle_signals=False, ctx={"payments": payments}
    )
    return await worker.run_check()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory):
    with EmbeddedServer.ensure(tmp_path_factory.mktemp("valkey"), grace=0, force=True) as server:
        yield server


async def test_order_on_a_real_server(valkey: EmbeddedServer):
    pool = await create_pool(RedisSettings.from_dsn(valkey.url(database=1)))
    await pool.flushdb()
    job = await pool.enqueue(pay, 2)

    await run_all(pool, Payments())

    assert await job.result() == "receipt 2"
    await pool.aclose()
