"""Programs for the storm: they enqueue in transactions, or relay, and are killed wherever it may hurt.

`python outbox_storm.py enqueue|relay <url> <schema> <redis> <log> <seed> <count>`: a parent that begins its child
anew whenever it was killed, until the children have begun so many transactions, or it is told to end.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from outbox_toys import QUEUE, Order, blocking_engine, connect_args
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from arqlite.connections import RedisSettings, create_pool
from arqlite.ledger import Ledger, configure_sqlite
from arqlite.model.codec import Codec
from arqlite.outbox import Relay, delivery, marking, relay, staging
from arqlite.transactions import Outbox

JOB = "ran"
POINTS = ("before commit", "after commit", "before push", "after push", "before mark", "after mark")


class Log:
    """What the children did, in a file: a line that was written outlives its writer."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def tell(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


class Failpoints:
    """Kills this process now and then."""

    def __init__(self, log: Log, share: float) -> None:
        self._log, self._share = log, share

    def reach(self, name: str) -> None:
        # Marks are written for many jobs at once, so that they come seldom.
        if random.random() < self._share * (10 if name.endswith("mark") else 1):
            self._log.tell("killed", name)
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str, before: str, after: str) -> None:
        """Put failpoints before and after a coroutine function."""
        inner: Callable[..., Any] = getattr(owner, name)

        async def outer(*args: Any, **kwargs: Any) -> Any:
            self.reach(before)
            answer = await inner(*args, **kwargs)
            self.reach(after)
            return answer

        setattr(owner, name, outer)

    def install(self) -> None:
        """Put them all in place."""
        hand_over = staging._hand_over

        def reached(parcels: Any) -> None:
            self.reach("after commit")
            hand_over(parcels)

        staging._hand_over = reached
        event.listen(Session, "before_commit", lambda _: self.reach("before commit"))
        self.around(delivery.Delivery, "_push_one", "before push", "after push")
        self.around(delivery.Delivery, "_push_many", "before push", "after push")
        self.around(marking, "write_marks", "before mark", "after mark")
        self.around(relay, "push", "before push", "after push")


async def enqueue(url: str, schema: str, redis: str, log: Log, count: int) -> None:
    """Enqueue in random transactions of all kinds; half of them are rolled back."""
    engine = configure_sqlite(create_async_engine(url, connect_args=connect_args(url, schema)))
    ledger = Ledger(engine)
    pool = await create_pool(RedisSettings.from_dsn(redis), ledger=ledger)
    blocking, outbox = blocking_engine(url, schema), Outbox(ledger)
    sessions = async_sessionmaker(engine)

    async def add(db: AsyncSession) -> str:
        name = os.urandom(6).hex()
        job = await pool.options(session=db).enqueue(JOB, name)
        db.add(Order(name=name))
        await db.flush()
        log.tell("wrote", job.job_id)
        return name

    async def with_savepoints(db: AsyncSession) -> list[str]:
        names = [await add(db)]
        for keeps in random.choices((True, False), k=2):
            savepoint = await db.begin_nested()
            name = await add(db)
            if keeps:
                await savepoint.commit()
                names.append(name)
            else:
                await savepoint.rollback()
        return names

    async def in_loop(kind: int) -> None:
        async with sessions() as db:
            names = await with_savepoints(db) if kind == 1 else [await add(db) for _ in range(kind or 1)]
            if random.random() < 0.5:
                await db.rollback()
            else:
                await db.commit()
                log.tell("committed", *names)

    def blocked() -> None:
        with Session(blocking) as db:
            name = os.urandom(6).hex()
            outbox.enqueue(db, JOB, name)
            db.add(Order(name=name))
            if random.random() < 0.5:
                db.rollback()
            else:
                db.commit()
                log.tell("committed", name)

    async def some(count: int) -> None:
        for _ in range(count):
            log.tell("began")
            kind = random.randrange(4)
            if kind == 3:
                await asyncio.to_thread(blocked)
            else:
                await in_loop(kind)

    await asyncio.gather(*(some(count // 3 + 1) for _ in range(3)))
    await pool.aclose()


async def relay_for_ever(url: str, schema: str, redis: str) -> None:
    engine = configure_sqlite(create_async_engine(url, connect_args=connect_args(url, schema)))
    pool = await create_pool(RedisSettings.from_dsn(redis))
    service = Relay(Ledger(engine), pool.queue(QUEUE).engine, Codec(), interval=0.05, age=0.05)
    await service.start()
    await asyncio.Event().wait()


def main(role: str, url: str, schema: str, redis: str, path: str, seed: str, count: str) -> None:
    """Be the parent."""
    log, child = Log(path), 0

    def end(*_: object) -> None:
        if child:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    life = 0
    while (left := int(count) - began(path)) > 0 or role == "relay":
        life += 1
        child = os.fork()
        if not child:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            random.seed(f"{seed} {life}")
            Failpoints(log, 0.01 if role == "enqueue" else 0.05).install()
            if role == "enqueue":
                asyncio.run(enqueue(url, schema, redis, log, min(left, 100)))
            else:
                asyncio.run(relay_for_ever(url, schema, redis))
            os._exit(0)
        os.waitpid(child, 0)
        child = 0


def began(path: str) -> int:
    return sum(line == "began" for line in Path(path).read_text().splitlines())


if __name__ == "__main__":
    main(*sys.argv[1:])
