"""Who leads a queue, and the cron jobs that workers tell of: on fakeredis and on a real server."""

from __future__ import annotations

from typing import Any

from engine_toys import HOUR, Queue, record

# -- the leader


async def test_one_session_leads(queue: Queue) -> None:
    """Of the sessions that run for it the first leads; asking again changes nothing."""
    await queue.open("a", "b")

    assert await queue.engine.lead("a")
    assert not await queue.engine.lead("b")
    assert await queue.engine.lead("a")

    assert await queue.engine.leader() == "a"


async def test_leader_that_resigns_is_replaced(queue: Queue) -> None:
    """The lead is free once its holder gives it back; nobody else can give it back."""
    await queue.open("a", "b")
    await queue.engine.lead("a")

    assert not await queue.engine.lead("b", runs=False)
    assert await queue.engine.leader() == "a"
    assert not await queue.engine.lead("a", runs=False)
    assert await queue.engine.leader() is None

    assert await queue.engine.lead("b")
    assert await queue.engine.leader() == "b"


async def test_resignation_is_announced(queue: Queue, eventually: Any) -> None:
    """Who listens hears that the lead is free, and is not told of what is no change."""
    await queue.open("a", "b")
    await queue.engine.lead("a")
    pubsub = queue.client.pubsub(ignore_subscribe_messages=True)
    await pubsub.subscribe(queue.keys.leader_channel)

    await queue.engine.lead("b", runs=False)
    await queue.engine.lead("a", runs=False)

    async def heard() -> Any:
        return await pubsub.get_message(timeout=0.1)

    assert (await eventually(heard))["data"] == b"a"
    await pubsub.aclose()


async def test_leader_whose_lease_ended_is_replaced(queue: Queue) -> None:
    """A session that was rescued or has left leads no more; one that never was does not run."""
    await queue.open("a", "b")
    await queue.engine.lead("a")
    await queue.end_lease("a")
    assert await queue.engine.leader() is None

    await queue.engine.rescue("b")
    assert not await queue.engine.lead("a")
    assert await queue.engine.lead("b")

    await queue.engine.leave("b")
    assert await queue.engine.leader() is None
    assert not await queue.engine.lead("stranger")


# -- cron jobs


async def test_cron_jobs_are_told_with_their_last_tick(queue: Queue) -> None:
    """What workers told is there for others, beside when each was fired last."""
    await queue.engine.publish_crons({"a x": b"A", "b y": b"\x00B"}, HOUR)
    await queue.engine.fire(["a x"], 1_700_000_000_123, "a:1", record(), name="a")

    crons = await queue.engine.crons()

    assert sorted(crons.known) == [(b"\x00B", 0), (b"A", 1_700_000_000_123)]
    assert crons.paused == frozenset()
    assert crons.now_ms > 1_700_000_000_123


async def test_cron_jobs_that_nobody_tells_of_go(queue: Queue, eventually: Any) -> None:
    """A later telling forgets what was not told for so long."""
    await queue.engine.publish_crons({"old": b"O"}, 1)

    async def forgotten() -> bool:
        await queue.engine.publish_crons({"new": b"N"}, 1)
        return [known.description for known in (await queue.engine.crons()).known] == [b"N"]

    await eventually(forgotten)


async def test_paused_cron_job_enqueues_nothing(queue: Queue) -> None:
    """Its ticks become things of the past; with no schedule there is nothing to be moved."""
    assert await queue.engine.switch_cron("a", pauses=True)
    assert not await queue.engine.switch_cron("a", pauses=True)

    assert not (await queue.engine.fire(["a x"], 1000, "a:1", record(), name="a")).done
    assert not (await queue.engine.fire([], 0, "a:startup", record(), name="a")).done
    assert (await queue.engine.fire(["b x"], 1000, "b:1", record(), name="b")).done
    assert (await queue.engine.ticks(["a x"])).last_ms == [1000]
    assert (await queue.engine.crons()).paused == {"a"}

    assert await queue.engine.switch_cron("a", pauses=False)
    assert not await queue.engine.switch_cron("a", pauses=False)
    assert not (await queue.engine.fire(["a x"], 1000, "a:1", record(), name="a")).done
    assert (await queue.engine.fire(["a x"], 2000, "a:2", record(), name="a")).done


async def test_without_schedules_an_id_is_enqueued_once(queue: Queue) -> None:
    """What has no tick is enqueued whenever it is asked for, as long as its id is free."""
    assert (await queue.engine.fire([], 0, "a:startup", record(), name="a")).done
    assert not (await queue.engine.fire([], 0, "a:startup", record(), name="a")).done
    assert (await queue.engine.fire([], 0, "a:other", record(), name="a")).done


# -- pruning


async def test_prune_stops_at_its_limit(queue: Queue, eventually: Any) -> None:
    """One run forgets as many jobs as it may, also out of the middle of a batch; later ones the rest."""
    names = [f"j{n}" for n in range(25)]
    await queue.fill(*names)
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", *names[:20], keep_ms=1)
    await queue.finish("s", *names[20:], keep_ms=1)

    async def is_over() -> bool:
        return await queue.home(names[-1]) == "absent"

    await eventually(is_over)

    assert await queue.engine.prune(8) == 8
    assert await queue.client.hlen(queue.keys.jobs) == 17
    assert await queue.engine.prune(8) == 8
    assert await queue.engine.prune() == 9
    assert await queue.client.exists(queue.keys.ttls, f"{queue.keys.base}done:1") == 0
