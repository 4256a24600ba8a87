"""A queue or ledger that is away costs the others nothing, and is not asked again at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from console_now_toys import admin, dead_settings, noop, own_pool, own_server, silent_server  # noqa: F401
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from sqlite_threads import sqlite_threads_end  # noqa: F401 (a fixture)

from arqlite import ArqRedis
from arqlite.console import Console, links
from arqlite.console.links import Door, Links, Silence
from arqlite.console.places import places_of
from arqlite.errors import ConfigurationError
from arqlite.inspector import Inspector
from arqlite.ledger import Ledger


async def test_dead_queue_is_told_and_the_others_answer(arq_redis: ArqRedis) -> None:
    """A queue whose Redis refuses connections says so, and the others are as they are."""
    async with Console([arq_redis, dead_settings()]) as console:
        alive, dead = await console.queues()

    assert (alive.key, alive.error) == ("arq:queue", "")
    assert dead.key == "dead"
    assert "ConnectionError" in dead.error


async def test_silent_queue_holds_nobody_up(arq_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is given up in time; fifty more askers meanwhile open no connection each."""
    monkeypatch.setattr(links, "ANSWER_S", 1.6)
    monkeypatch.setattr(links, "_OPENING_S", 1.2)
    async with silent_server() as (settings, taken):
        target = {"queue_name": "mute", "redis_settings": settings}
        async with Console([arq_redis, target]) as console:
            began = time.monotonic()
            states = await asyncio.gather(*(console.queues() for _ in range(50)))
            took = time.monotonic() - began

    assert {state.error for _, state in states} == {"no answer in time"}
    assert {state.error for state, _ in states} == {""}
    assert len(taken) == 1
    assert took < 10


async def test_dead_queue_is_left_alone_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed a moment ago is not tried again; later it is."""
    tries: list[float] = []

    async def refuse(*_: Any, **__: Any) -> ArqRedis:
        tries.append(time.monotonic())
        raise RedisConnectionError("nobody there")

    monkeypatch.setattr(links, "create_pool", refuse)
    opened = Links(places_of([dead_settings()]))
    for _ in range(3):
        assert await opened.ask(opened.places[0], _ping) == Silence("ConnectionError: nobody there")
    assert len(tries) == 1
    with pytest.raises(RedisConnectionError, match="nobody there"):
        await opened.inspector(opened.places[0])

    monkeypatch.setattr(links, "LEFT_ALONE_S", 0)
    opened = Links(places_of([dead_settings()]))
    for _ in range(3):
        await opened.ask(opened.places[0], _ping)

    assert len(tries) == 4


async def test_one_finds_out_for_all_whether_it_is_back() -> None:
    """When its time is over, one asker tries a silent one again, and the others hear the old answer."""
    door = Door()
    door.shut("gone")
    door.shut_until = 0
    assert not door.is_shut

    with door.tried():
        assert door.is_shut

    assert not door.is_shut
    assert door.why == ""


async def test_failure_of_the_first_asker_is_no_end_of_trying() -> None:
    """Who finds out and fails leaves the door for the next one to try."""
    door = Door()
    with pytest.raises(OSError, match="gone"), door.tried():
        raise OSError("gone")
    door.shut("gone")
    door.shut_until = 0

    with pytest.raises(OSError, match="still"), door.tried():
        raise OSError("still")

    assert not door.is_shut


async def test_refusal_is_no_silence(arq_redis: ArqRedis) -> None:
    """A server that refuses one question is asked the next one."""
    opened = Links(places_of([arq_redis]))

    async def refused(inspector: Inspector) -> None:
        raise ResponseError("NOPERM no permissions to run the 'info' command")

    told = await opened.ask(opened.places[0], refused)

    assert told == Silence("ResponseError: NOPERM no permissions to run the 'info' command")
    assert await opened.ask(opened.places[0], _ping) is True


async def test_pool_is_opened_once(own_server: int) -> None:  # noqa: F811
    """Many who ask at once share one client, also those who act in the name of somebody else."""
    target = dead_settings("alive")
    target["redis_settings"].port = own_server
    async with Console([target], by="ada") as console:
        other = console.acting("bob")
        await asyncio.gather(*(one.queues() for one in (console, other) * 5))
        pools = {id(await one._links.pool(console.places[0])) for one in (console, other)}

        assert len(pools) == 1
        assert (console.by, other.by) == ("ada", "bob")


async def test_question_that_cannot_be_is_no_silence(arq_redis: ArqRedis, tmp_path: Any) -> None:
    """What nobody could answer is said to the asker, and the ledger stays open to others."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    opened = Links(places_of([dead_settings(ledger=ledger, functions=[noop])]))

    async def wrong(_: Ledger) -> None:
        raise ConfigurationError("no such queue")

    with pytest.raises(ConfigurationError, match="no such queue"):
        await opened.ask_ledger(ledger, wrong)
    health = await opened.ask_ledger(ledger, lambda asked: asked.health())
    await ledger.aclose()

    assert not isinstance(health, Silence)
    assert health.is_up


async def test_question_about_missing_tables_shuts_out_no_other(arq_redis: ArqRedis, tmp_path: Any) -> None:
    """A database that lacks a table answers the next question."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'jobs.db'}")
    opened = Links(places_of([dead_settings(ledger=ledger, functions=[noop])]))

    lacking = await opened.ask_ledger(ledger, lambda asked: asked.count())
    health = await opened.ask_ledger(ledger, lambda asked: asked.health())
    await ledger.aclose()

    assert isinstance(lacking, Silence)
    assert "no such table" in lacking.why
    assert not isinstance(health, Silence)


async def test_database_that_is_away_is_left_alone_for_a_moment(tmp_path: Any) -> None:
    """What could not be opened a moment ago is not opened again at once."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'jobs.db'}")
    opened = Links(places_of([dead_settings(ledger=ledger, functions=[noop])]))
    asked: list[Ledger] = []

    async def count(it: Ledger) -> Any:
        asked.append(it)
        return await it.count()

    told = [await opened.ask_ledger(ledger, count) for _ in range(3)]
    await ledger.aclose()

    assert len(asked) == 1
    assert {"unable to open" in one.why for one in told} == {True}


async def _ping(inspector: Inspector) -> bool:
    return bool(await inspector.pool.ping())


async def test_every_connection_to_a_shared_database_is_closed(fake: ArqRedis, tmp_path: Any) -> None:
    """Settings that name one database each have a ledger of their own, and all of them are closed."""
    ledger = Ledger(url := f"sqlite:///{tmp_path / 'jobs.db'}")
    await ledger.upgrade()
    await ledger.aclose()
    settings = [{"queue_name": name, "redis_pool": fake, "ledger": url} for name in ("one", "two")]
    async with Console(settings) as console:
        for place in console.places:
            assert await console.job("nobody", place.key) is None

    ledgers = [place.ledger for place in console.places if place.ledger is not None]
    assert [one.engine.sync_engine.pool.checkedin() for one in ledgers] == [0, 0]  # type: ignore[attr-defined]


class NamedSettings:
    """Settings that a command finds."""

    functions = (noop,)


def test_settings_of_a_module_tell_where_they_are() -> None:
    """A class that its module has is found there by a command; of dicts and local classes nobody knows."""

    class Local(NamedSettings):
        queue_name = "local"

    places = places_of([NamedSettings, Local, {"functions": [noop], "queue_name": "told"}])

    assert [place.path for place in places] == [f"{__name__}.NamedSettings", "", ""]
