"""What a queue does for its ledger: markers, comparisons, jobs put back or taken out, remembered ends."""

from __future__ import annotations

import pytest
from engine_toys import Queue, ended, record

from arqlite.engine import Ended, Lock, NewJob, Place, Restored, Retired, Watch
from arqlite.engine.management import Revival
from arqlite.model.memory import Memory

HOUR = 3_600_000
REMEMBER = 300_000


def blob(enqueued_ms: int = 1000, function: str = "work") -> bytes:
    return b'{"f":"%b","et":%d}' % (function.encode(), enqueued_ms)


def live(enqueued_ms: int = 1000, priority: int = 0) -> bytes:
    return record(priority, blob(enqueued_ms))


def end(result: bytes = b'{"r":1}', letter: bytes = b"S", job: bytes = b"") -> bytes:
    return b"%b%08x%b%b" % (letter, len(result), result, job)


async def finished(
    queue: Queue, job_id: str, keep_ms: int = 0, enqueued_ms: int = 1000, remember_ms: int = REMEMBER
) -> None:
    """Enqueue, claim and end a job, remembering its end."""
    queue.engine.remember_ms = remember_ms
    await queue.engine.enqueue([NewJob(job_id, "", live(enqueued_ms))])
    await queue.open("s")
    assert job_id in await queue.claim("s")
    body = end(job=blob(enqueued_ms))
    await queue.engine.turn("s", 0, {keep_ms: Ended([job_id], [body])}, ())


# -- the marker


async def test_marker_is_planted_once(queue: Queue) -> None:
    """Of two that plant a marker one does, and both see whose it is."""
    nothing = await queue.engine.watch()

    assert await queue.engine.mark(nothing, "mine", 1, REMEMBER)
    assert not await queue.engine.mark(nothing, "yours", 1, REMEMBER)
    assert await queue.engine.watch() == Watch("mine", 1)


async def test_marker_beats_for_who_saw_it(queue: Queue) -> None:
    """Who has missed a beat moves nothing."""
    await queue.engine.mark(Watch("", 0), "mine", 1, REMEMBER)
    seen = await queue.engine.watch()

    assert await queue.engine.mark(seen, "mine", 2, REMEMBER)
    assert not await queue.engine.mark(seen, "mine", 3, REMEMBER)
    assert (await queue.engine.watch()).beat == 2


async def test_longest_lag_is_told(queue: Queue) -> None:
    """Each session tells how far its rows are behind, and all hear of the longest."""
    await queue.engine.watch("a", 1500)

    assert (await queue.engine.watch("b", 1200)).lag_ms == 1500
    assert (await queue.engine.watch("a", 0)).lag_ms == 1200
    assert (await queue.engine.watch("b", 0)).lag_ms == 0


async def test_lag_of_a_silent_session_is_forgotten(queue: Queue) -> None:
    """A session that is gone keeps nobody waiting."""
    await queue.client.hset(queue.keys.lags, "gone", "9000:1")

    assert (await queue.engine.watch()).lag_ms == 0


# -- ends that are remembered


async def test_end_of_which_nothing_is_kept_is_remembered(queue: Queue) -> None:
    """With a ledger an end stays for those who compare, and for nobody else; the job's arguments do not."""
    await finished(queue, "j")

    [place] = await queue.engine.compare(["j"])
    assert (place.where, place.state) == ("over", "S")
    assert place.record[14:] == end(job=b'{"et":1000}')
    assert await queue.home("j") == "absent"
    assert await queue.engine.forget("j") == 0


async def test_id_that_is_remembered_is_free(queue: Queue) -> None:
    """An id may be used again at once although its last end is remembered."""
    await finished(queue, "j")

    assert await queue.engine.enqueue([NewJob("j", "", live(2000))]) == set()
    assert await queue.home("j") == "ready"


async def test_remembered_end_goes_when_its_time_is_over(queue: Queue) -> None:
    """The pruner takes what was remembered for long enough."""
    queue.engine.remember_ms = 1
    await queue.fill("j")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "j", keep_ms=0)
    while not await queue.engine.prune():
        pass

    assert await queue.client.hexists(queue.keys.jobs, "j") == 0


async def test_without_a_ledger_nothing_is_remembered(queue: Queue) -> None:
    """Without a ledger an end of which nothing is kept leaves nothing."""
    await queue.fill("j")
    await queue.open("s")
    await queue.claim("s")
    await queue.finish("s", "j", keep_ms=0)

    assert await queue.engine.compare(["j"]) == [Place("absent")]
    assert await queue.client.exists(queue.keys.ttls) == 0


async def test_short_lived_end_is_remembered_as_long_as_any(queue: Queue) -> None:
    """An end that is kept for less expires when it was to, and is remembered without its job from then on."""
    await finished(queue, "j", keep_ms=50)
    assert await queue.home("j") == "finished"

    while await queue.client.smembers(queue.keys.ttls) != {b"%d" % (REMEMBER - 50)}:
        assert await queue.engine.prune() == 0

    [place] = await queue.engine.compare(["j"])
    assert (place.where, place.record[14:]) == ("over", end(job=b'{"et":1000}'))
    assert await queue.home("j") == "absent"


async def test_long_lived_end_is_not_remembered_any_longer(queue: Queue) -> None:
    """What is kept for at least as long as is to be remembered goes as a whole when it expires."""
    await finished(queue, "j", keep_ms=50, remember_ms=40)

    while not await queue.engine.prune():
        pass

    assert await queue.client.hexists(queue.keys.jobs, "j") == 0


async def test_deleted_job_is_remembered(queue: Queue) -> None:
    """Of a job that was deleted by hand it is remembered that it will not run, if the queue has a ledger."""
    await queue.engine.mark(Watch("", 0), "m", 1, REMEMBER)
    await queue.engine.enqueue([NewJob("j", "", live())])

    assert await queue.engine.drop_many(["j"]) == ["done"]

    [place] = await queue.engine.compare(["j"])
    assert (place.where, place.state) == ("over", "C")
    assert await queue.engine.drop_many(["j"]) == ["unknown"]


@pytest.mark.parametrize("by_hand", ["deleted", "cancelled"])
async def test_end_made_by_hand_is_remembered_for_longer(queue: Queue, by_hand: str) -> None:
    """No worker need be there to hear of it: a job that somebody took out is remembered for a day."""
    await queue.engine.mark(Watch("", 0), "m", 1, 1)
    await queue.engine.enqueue([NewJob("j", "", live())])
    if by_hand == "deleted":
        await queue.engine.drop_many(["j"])
    else:
        await queue.engine.cancel("j", end(), 1)

    lifetimes = await queue.client.smembers(queue.keys.ttls)
    assert {sum(map(int, lifetime.split(b"+"))) for lifetime in lifetimes} == {86_400_000}


# -- where jobs are


async def test_places_are_told(queue: Queue) -> None:
    """Absent, waiting, running and over are told apart, in the order of the question."""
    await finished(queue, "over", keep_ms=HOUR)
    await queue.fill("running")
    await queue.claim("s")
    await queue.fill("waiting")
    await queue.fill("later", when="+60000")

    places = await queue.engine.compare(["absent", "waiting", "later", "running", "over"])

    assert [place.where for place in places] == ["absent", "waiting", "waiting", "running", "over"]
    assert [place.state for place in places] == ["", "a", "s", "e", "S"]
    assert await queue.engine.compare([]) == []


async def test_page_has_open_jobs_only(queue: Queue) -> None:
    """Who looks for jobs without rows is shown none that has ended."""
    await finished(queue, "over", keep_ms=HOUR)
    await queue.fill("waiting")

    cursor, page = await queue.engine.open_page(0)

    assert (cursor, [job_id for job_id, _ in page]) == (0, ["waiting"])


# -- jobs that are put back


async def test_restored_job_is_as_it_was(queue: Queue) -> None:
    """A job that is put back has its priority, its tries, its time and its lock."""
    memory = Memory(tries=2).encode()
    lock = Lock("d", -1, "aers")

    told = await queue.engine.restore(
        [
            Restored("now", "=5000", live(priority=1), memory, lock),
            Restored("first", "=0", live(priority=1)),
            Restored("later", "+60000", live()),
        ]
    )

    assert (told.others, told.over) == ({}, {})
    assert await queue.home("later") == "scheduled"
    await queue.open("s")
    assert await queue.claim("s") == ["first", "now"]
    assert await queue.memory("now") == memory.encode()
    assert await queue.client.hget(queue.keys.locks, "now") == b"d"
    assert await queue.take_token()


async def test_job_that_is_there_stays(queue: Queue) -> None:
    """A job that is in Redis already, wherever that is, is not put there again."""
    await queue.engine.enqueue([NewJob("j", "+60000", live()), NewJob("r", "", live())])
    await queue.open("s")
    await queue.claim("s")

    told = await queue.engine.restore([Restored("j", "", live()), Restored("r", "", live())])

    assert (told.others, told.over) == ({}, {})
    assert (await queue.home("j"), await queue.home("r")) == ("scheduled", "running")


async def test_job_that_is_over_is_not_put_back(queue: Queue) -> None:
    """An end counts, be it kept or only remembered."""
    await finished(queue, "kept", keep_ms=HOUR)
    await finished(queue, "remembered")

    told = await queue.engine.restore([Restored("kept", "", live()), Restored("remembered", "", live())])

    assert told.over == {0: "S", 1: "S"}
    assert await queue.home("remembered") == "absent"


async def test_end_of_an_earlier_job_keeps_nobody_out(queue: Queue) -> None:
    """What is remembered of an earlier job of the same id is not this job's end."""
    await finished(queue, "j", enqueued_ms=1000)

    told = await queue.engine.restore([Restored("j", "", live(2000))])

    assert (told.others, told.over) == ({}, {})
    assert await queue.home("j") == "ready"


async def test_id_of_another_job_is_refused(queue: Queue) -> None:
    """A job whose id another one has by now is told of."""
    await queue.engine.enqueue([NewJob("j", "", live(2000))])

    told = await queue.engine.restore([Restored("j", "", live(1000))])

    assert set(told.others) == {0}


async def test_equal_job_keeps_only_new_ones_out(queue: Queue) -> None:
    """A unique job that was in the queue before comes back beside its equal; a new one is refused."""
    lock = Lock("d", -1, "aers")
    await queue.engine.enqueue([NewJob("holder", "", live(), lock)])

    told = await queue.engine.restore(
        [Restored("old", "", live(), "", lock), Restored("new", "", live(), "", lock, was_accepted=False)]
    )

    assert set(told.others) == {1}
    assert told.others[1].job_id == "holder"
    assert (await queue.home("old"), await queue.home("new")) == ("ready", "absent")


# -- jobs that are taken out


async def test_retired_job_ends_as_it_is_told(queue: Queue) -> None:
    """A job that waits is over with the end that the ledger has; its lock goes with it."""
    was = live()
    await queue.engine.enqueue([NewJob("j", "", was, Lock("d", -1, "aers"))])

    assert await queue.engine.retire([Retired("j", was, "", end())], HOUR) == ["j"]

    peek = await queue.engine.peek("j")
    assert (peek.home, peek.record[14:]) == ("finished", end(job=blob()))
    assert await queue.client.hexists(queue.keys.locks, "j") == 0


async def test_job_that_changed_or_runs_is_not_retired(queue: Queue) -> None:
    """What is not as it was read stays, and so does what a living session runs."""
    was = live()
    await queue.engine.enqueue([NewJob("runs", "", was)])
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.enqueue([NewJob("changed", "", was), NewJob("tried", "", was)])
    await queue.client.hset(queue.keys.tries, "tried", "1:0:0:0:0:0:0")

    retired = await queue.engine.retire(
        [
            Retired("runs", was, "", end()),
            Retired("changed", live(5000), "", end()),
            Retired("tried", was, "", end()),
            Retired("unknown", was, "", end()),
        ],
        HOUR,
    )

    assert retired == []
    assert [await queue.home(job_id) for job_id in ("runs", "changed", "tried")] == [
        "running",
        "ready",
        "ready",
    ]


async def test_revival_is_remembered(queue: Queue) -> None:
    """A job that is let run again after its end carries when that was, through rescues as well."""
    await queue.engine.enqueue([NewJob("j", "", live())])
    await queue.open("s")
    await queue.claim("s")
    await queue.engine.turn("s", 0, ended("j"), ())
    was = (await queue.engine.peek("j")).record
    memory = Memory(revived_ms=77).encode()
    assert await queue.engine.revive_many([Revival("j", was, "", live(), memory)]) == ["done"]
    await queue.claim("s")
    await queue.end_lease("s")

    await queue.engine.rescue("t")

    assert await queue.memory("j") == Memory(crashes=1, revived_ms=77).encode().encode()
