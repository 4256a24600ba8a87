"""arq's results: carried over with the time they have left, so that ids stay refused and callers served."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest
from migration_toys import Arq, Move, arq_result, dump

from arqlite import ArqRedis, Job, JobStatus
from arqlite.errors import JobExecutionFailed, SerializationError
from arqlite.utils import timestamp_ms


async def _keep(arq: Arq, job_id: str, result: Any, *, keep_ms: int | None = 100_000, **options: Any) -> None:
    await arq.client.set(f"arq:result:{job_id}", arq_result(job_id, result, **options), px=keep_ms)


async def test_result_is_carried(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A result can be read in arqlite with all that arq knew of it, and is still there for arq."""
    await _keep(arq, "a", {"sum": 3})

    report = await move()

    info = await Job("a", arq_redis).result_info()
    assert info is not None
    assert (info.result, info.success, info.function, info.args) == ({"sum": 3}, True, "add", (1, 2))
    assert (info.job_try, (info.finish_time - info.start_time).total_seconds()) == (2, 1.0)
    assert report.results == 1
    assert await arq.keys() == {"arq:result:a"}


async def test_id_stays_refused(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """An id whose result arq keeps is refused by arqlite as well."""
    await _keep(arq, "a", 3)

    await move()

    assert await arq_redis.enqueue_job("add", _job_id="a") is None


async def test_result_lives_as_long_as_in_arq(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A result is forgotten when arq would have forgotten it, one without an end never."""
    await _keep(arq, "a", 3, keep_ms=50_000)
    await _keep(arq, "ever", 3, keep_ms=None)

    await move()

    until, ever = await move.engine.ends(["a", "ever"])
    assert abs(until - timestamp_ms() - 50_000) < 3000
    assert ever == 9_999_999_999_999


async def test_carried_results_are_pruned(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """The pruner forgets carried results whose time is over, at most a minute later."""
    await _keep(arq, "a", 3, keep_ms=50_000)
    await _keep(arq, "b", 3, keep_ms=58_000)
    await move()
    keys = move.engine.keys
    moments = await arq_redis.smembers(keys.ttls)
    # Two when the full minute that ends are rounded to lies between the two.
    assert len(moments) in (1, 2)
    for moment in moments:
        assert -1000 <= int(moment[1:]) - timestamp_ms() - 50_000 < 70_000
        # Time passes: the records and their batch are of yesterday.
        done = keys.base + "done:" + moment.decode()
        for place, batch in enumerate(await arq_redis.lrange(done, 0, -1)):
            await arq_redis.lset(done, place, b"1000000000000" + batch[13:])
    for job_id, record in (await arq_redis.hgetall(keys.jobs)).items():
        await arq_redis.hset(keys.jobs, job_id, b"R1000000000000" + record[14:])

    forgotten = await move.engine.prune()

    assert forgotten == 2
    assert await arq_redis.hlen(keys.jobs) == 0
    assert await arq_redis.smembers(keys.ttls) == set()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no", 3), ValueError("no", 3)),
        (asyncio.CancelledError(), asyncio.CancelledError()),
        (TimeoutError(), TimeoutError()),
        ("unable to serialize result", SerializationError("unable to serialize result")),
    ],
)
async def test_failure_is_carried(
    arq: Arq, move: Move, arq_redis: ArqRedis, error: Any, expected: BaseException
) -> None:
    """The exception of a failed job is raised by `Job.result` as arq would have."""
    await _keep(arq, "a", error, success=False)

    await move()

    with pytest.raises(type(expected)) as caught:
        await Job("a", arq_redis).result()
    assert caught.value.args == expected.args


class JobExecutionFailedOfArq(RuntimeError):
    """Stands in for arq's class in a pickle that is made without arq."""


async def test_classes_of_arq_are_found_without_arq(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A pickled exception of arq is read as arqlite's own, in an environment that has no arq."""
    pickled = arq_result("a", JobExecutionFailedOfArq("job expired"), success=False)
    ours = f"\x8c{chr(len(__name__))}{__name__}\x94\x8c\x17JobExecutionFailedOfArq".encode("latin-1")
    assert ours in pickled
    pickled = pickled.replace(ours, b"\x8c\x0aarq.worker\x94\x8c\x12JobExecutionFailed")
    frame = pickled.index(b"\x95")
    pickled = pickled[:frame] + pickled[frame + 9 :]
    await arq.client.set("arq:result:a", pickled, px=10_000)

    await move()

    with pytest.raises(JobExecutionFailed, match="job expired"):
        await Job("a", arq_redis).result()


async def test_result_that_json_cannot_hold(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A result that JSON cannot hold is told in its place, and its id stays refused."""
    await _keep(arq, "a", object)

    report = await move()

    assert report.results == 1
    with pytest.raises(SerializationError, match="unable to serialize result"):
        await Job("a", arq_redis).result()


async def test_arguments_that_json_cannot_hold(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A result whose arguments JSON cannot hold is carried without them."""
    await _keep(arq, "a", 3, args=(object,))

    await move()

    info = await Job("a", arq_redis).result_info()
    assert info is not None
    assert (info.result, info.function, info.args) == (3, "add", ())


async def test_results_of_other_queues_are_left(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """Only results of the drained queues are copied; one that does not say its queue is among them."""
    await _keep(arq, "other", 3, queue="other")
    await _keep(arq, "old", 3, queue=None)

    report = await move()

    assert (report.results, report.results_elsewhere) == (1, 1)
    assert await Job("other", arq_redis).status() is JobStatus.not_found
    assert await Job("old", arq_redis).result() == 3


async def test_second_run_copies_nothing_anew(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """A result whose id arqlite has already is not copied again."""
    await _keep(arq, "a", 3)
    await move()

    report = await move()

    assert (report.results, report.results_known) == (0, 1)


async def test_unreadable_result_is_named(arq: Arq, move: Move) -> None:
    """A result that cannot be read is reported by its id, and the import is not complete."""
    await arq.client.set("arq:result:a", b"\x80\x04nonsense.")

    report = await move()

    assert list(report.results_failed) == ["a"]
    assert not report.is_complete
    assert "  a: " in "\n".join(report.lines())


async def test_results_can_be_left_out(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """Without results, only the queue is drained."""
    await _keep(arq, "a", 3)

    report = await move(results=False)

    assert report.results == 0
    assert await Job("a", arq_redis).status() is JobStatus.not_found


async def test_dry_run_copies_no_results(arq: Arq, move: Move) -> None:
    """A dry run counts the results that would be copied and copies none."""
    await _keep(arq, "a", 3)
    before = await dump(arq.client)

    report = await move(dry_run=True)

    assert report.results == 1
    assert await dump(arq.client) == before


async def test_results_of_a_serializer(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """Results of an application's own serializer are read by its deserializer and written by the target's."""
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
    await _keep(arq, "a", [3], write=lambda envelope: json.dumps(envelope).encode())
    move.deserializer = json.loads

    await move()

    assert await Job("a", arq_redis).result() == [3]


async def test_failure_through_pickle(arq: Arq, move: Move, arq_redis: ArqRedis) -> None:
    """With pickle on both sides results stay what they are."""
    arq_redis.job_serializer, arq_redis.job_deserializer = pickle.dumps, pickle.loads
    await _keep(arq, "a", (1, {2}))
    await _keep(arq, "b", KeyError("x"), success=False)

    await move()

    assert await Job("a", arq_redis).result() == (1, {2})
    with pytest.raises(KeyError):
        await Job("b", arq_redis).result()
