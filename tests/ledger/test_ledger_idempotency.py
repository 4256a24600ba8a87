"""Requests that are repeated under one key make one job."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ledger_toys import Row, queue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from arqlite.errors import ConfigurationError, IdempotencyConflict, InvalidIdempotencyKey, LedgerError
from arqlite.ledger import Ledger, Retention, claim, fingerprint, store
from arqlite.ledger.pruning import Pruning
from arqlite.ledger.tables import IdempotencyRow

Sessions = async_sessionmaker[AsyncSession]
NOW = datetime(2026, 3, 29, tzinfo=UTC)
ASKED = fingerprint("POST", "/reports", body=b'{"month": 3}')
OTHER = fingerprint("POST", "/reports", body=b'{"month": 4}')


async def ask(sessions: Sessions, key: str = "k", asked: str = ASKED, **options: Any) -> tuple[str, bool]:
    """A request: its key, and a row for the job if it is new."""
    async with sessions.begin() as db:
        claimed = await claim(db, key, asked, queue="reports", **options)
        if not claimed.is_replay:
            await store.insert_queued(
                db, Row, job_id=claimed.job_id, job_type="REPORT", function="report", queue="reports"
            )
    return claimed.job_id, claimed.is_replay


async def count(sessions: Sessions) -> int:
    async with sessions() as db:
        return len(await store.page(db, Row))


async def test_same_key_and_body_is_the_same_job(sessions: Sessions) -> None:
    """A repeated request is told the job of the first, and makes none."""
    first = await ask(sessions)
    again = await ask(sessions)

    assert (first[1], again) == (False, (first[0], True))
    assert await count(sessions) == 1


async def test_same_key_and_another_body_is_refused(sessions: Sessions) -> None:
    """Another request under the same key is a mistake of the caller's, and is told, and its job, too."""
    job_id, _ = await ask(sessions)

    with pytest.raises(IdempotencyConflict, match="used for another request") as caught:
        await ask(sessions, asked=OTHER)

    assert (caught.value.key, caught.value.job_id) == ("k", job_id)
    assert isinstance(caught.value, LedgerError)
    assert await count(sessions) == 1


async def test_twenty_at_once_make_one_job(sessions: Sessions) -> None:
    """Requests that come at the same moment wait for the first, and get its job."""
    answers = await asyncio.gather(*(ask(sessions) for _ in range(20)))

    assert len({job_id for job_id, _ in answers}) == 1
    assert [is_replay for _, is_replay in answers].count(False) == 1
    assert await count(sessions) == 1


async def test_rolled_back_key_is_free(sessions: Sessions) -> None:
    """The key goes with the transaction in which the job was to be enqueued."""
    async with sessions() as db:
        await claim(db, "k", OTHER, queue="reports")
        await db.rollback()

    assert (await ask(sessions))[1] is False


async def test_who_waits_gets_the_key_when_the_first_rolls_back(sessions: Sessions) -> None:
    """Of two requests at once the second makes the job, if the first fails."""
    async with sessions() as db:
        await claim(db, "k", ASKED, queue="reports")
        second = asyncio.create_task(ask(sessions))
        await asyncio.sleep(0)
        await db.rollback()

    assert (await asyncio.wait_for(second, 10))[1] is False


@pytest.mark.parametrize(("hours", "is_replay"), [(23.9, True), (24, False), (48, False)])
async def test_key_is_kept_for_a_day(sessions: Sessions, hours: float, is_replay: bool) -> None:
    """A day later the key is free again, for any request."""
    await ask(sessions, now=NOW)
    later = NOW + timedelta(hours=hours)

    assert (await ask(sessions, now=later))[1] is is_replay
    if not is_replay:
        assert (await ask(sessions, now=later + timedelta(hours=1)))[1] is True


@pytest.mark.parametrize("kept_for", [timedelta(days=7), 3600.0])
async def test_key_may_be_kept_for_another_time(
    sessions: Sessions, ledger: Ledger, kept_for: timedelta | float
) -> None:
    """It belongs to its request for as long as that says, also where keys are pruned meanwhile."""
    kept = kept_for if isinstance(kept_for, timedelta) else timedelta(seconds=kept_for)

    async def prune_at(moment: datetime) -> int:
        told: Counter[str] = Counter()
        await Pruning(sessions, Row, Retention(idempotency=60), clock=lambda: moment).run(told)
        return told["idempotency"]

    first, _ = await ask(sessions, now=NOW, kept_for=kept_for)
    last, free = NOW + kept - timedelta(seconds=1), NOW + kept + timedelta(seconds=1)

    assert await prune_at(last) == 0
    assert await ask(sessions, now=last) == (first, True)
    assert (await ask(sessions, "other", now=free))[1] is False
    assert await prune_at(free) == 1
    assert (await ask(sessions, now=free))[1] is False


async def test_key_may_be_kept_for_ever(sessions: Sessions) -> None:
    """The longest time there is does for all times that matter."""
    first, _ = await ask(sessions, now=NOW, kept_for=timedelta.max)

    assert await ask(sessions, now=NOW + timedelta(days=3650)) == (first, True)


@pytest.mark.parametrize("kept_for", [0, -1.0, float("inf"), "7d"])
async def test_key_that_cannot_be_kept_so_long(sessions: Sessions, kept_for: Any) -> None:
    """What is no time is refused in words."""
    with pytest.raises(ConfigurationError, match="kept_for must be"):
        await ask(sessions, kept_for=kept_for)


async def test_expired_key_is_taken_once(sessions: Sessions) -> None:
    """Requests that find the key expired at the same moment make one job, too."""
    await ask(sessions, asked=OTHER, now=NOW)

    answers = await asyncio.gather(*(ask(sessions, now=NOW + timedelta(days=2)) for _ in range(10)))

    assert len({job_id for job_id, _ in answers}) == 1
    assert await count(sessions) == 2


async def test_scopes_have_keys_of_their_own(sessions: Sessions) -> None:
    """Two tenants may use the same key."""
    ada, grace = await ask(sessions, scope="ada"), await ask(sessions, scope="grace", asked=OTHER)

    assert (ada[1], grace[1]) == (False, False)


async def test_job_may_have_an_id_of_its_own(sessions: Sessions) -> None:
    """An id of the caller's own is kept with the key."""
    await ask(sessions, job_id="report-3")

    assert await ask(sessions, job_id="report-4") == ("report-3", True)


async def test_key_outlives_its_job(sessions: Sessions) -> None:
    """A key is answered by what it was used for, whatever became of the job."""
    await queue(sessions, "other")
    job_id, _ = await ask(sessions)
    async with sessions.begin() as db:
        await db.delete(await store.find(db, Row, job_id))

    assert await ask(sessions) == (job_id, True)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "1 to 200 characters, and this one has 0"),
        ("x" * 201, "1 to 200 characters, and this one has 201"),
        ("two words", "visible ASCII"),
        ("key\n", "visible ASCII"),
        ("schlüssel", "visible ASCII"),
        ("\x00", "visible ASCII"),
    ],
)
async def test_impossible_key_is_refused(sessions: Sessions, key: str, words: str) -> None:
    """A key that is empty, too long, or of other characters is told in words, and nothing is written."""
    with pytest.raises(InvalidIdempotencyKey, match=words):
        await ask(sessions, key)

    async with sessions() as db:
        assert (await db.execute(select(IdempotencyRow))).all() == []


async def test_longest_key_has_room_beside_the_longest_scope(sessions: Sessions) -> None:
    """Key and scope fit into their column; a longer scope is refused."""
    assert (await ask(sessions, "x" * 200, scope="s" * 54))[1] is False
    with pytest.raises(InvalidIdempotencyKey, match="at most 54"):
        await ask(sessions, scope="s" * 55)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (("post", "/a"), ("POST", "/a"), True),
        (("POST", "/a"), ("POST", "/b"), False),
        (("POST", "/a", [("x", "1"), ("y", "2")]), ("POST", "/a", [("y", "2"), ("x", "1")]), True),
        (("POST", "/a", [("x", "1")]), ("POST", "/a", [("x", "2")]), False),
        (("POST", "/a", [("x", "1")]), ("POST", "/a?x=1"), False),
        (("POST", "/a", (), b'{"x": 1, "y": 2}'), ("POST", "/a", (), '{"y":2,"x":1}'), True),
        (("POST", "/a", (), b'{"x": 1}'), ("POST", "/a", (), b'{"x": "1"}'), False),
        (("POST", "/a", (), b"[1, 2]"), ("POST", "/a", (), b"[2, 1]"), False),
        (("POST", "/a", (), b"\xff\xfe"), ("POST", "/a", (), b"\xff\xfd"), False),
        (("POST", "/a", (), b"[" * 100_000), ("POST", "/a", (), b"[" * 100_000), True),
    ],
)
def test_fingerprint(one: Any, other: Any, is_same: bool) -> None:
    """Requests are the same when they ask for the same, however they are written."""
    assert (fingerprint(*one) == fingerprint(*other)) is is_same
    assert len(fingerprint(*one)) == 64
