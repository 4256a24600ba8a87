"""Serializers of one's own: pickle, msgpack, and the envelope that they meet."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from arq import ArqRedis, create_pool, func
from arq.connections import RedisSettings
from arq.jobs import (
    DeserializationError,
    Job,
    JobResult,
    SerializationError,
    deserialize_job,
    deserialize_job_raw,
    deserialize_result,
    serialize_job,
    serialize_result,
)
from arq.utils import timestamp_ms
from arq_toys import add, at_work, boom, echo, end_of, enqueue

PICKLE = {"job_serializer": pickle.dumps, "job_deserializer": pickle.loads}


def unpack(raw: bytes) -> dict[str, Any]:
    unpacked: dict[str, Any] = msgpack.unpackb(raw, raw=False)
    return unpacked


MSGPACK = {"job_serializer": msgpack.packb, "job_deserializer": unpack}


@dataclass
class Point:
    x: int
    y: int


class OddError(Exception):
    def __init__(self, code: int, *, hint: str = "") -> None:
        super().__init__(code)
        self.hint = hint


async def move(ctx: Any, point: Point, by: tuple[int, int]) -> Any:
    return Point(point.x + by[0], point.y + by[1]), {point.x}, by


async def odd(ctx: Any) -> None:
    raise OddError(7)


def told(pool: ArqRedis, serializers: dict[str, Any]) -> None:
    pool.job_serializer = serializers["job_serializer"]
    pool.job_deserializer = serializers["job_deserializer"]


async def test_pickle_carries_any_object(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With pickle on pool and worker, objects of all classes come through as they are."""
    told(arq_redis, PICKLE)
    job = await enqueue(arq_redis, "move", Point(1, 2), (3, 4))

    await make_worker(move, **PICKLE).run_check()

    assert await job.result() == (Point(4, 6), {1}, (3, 4))
    assert (await end_of(job)).args == (Point(1, 2), (3, 4))


async def test_pickle_carries_any_exception(arq_redis: ArqRedis, make_worker: Any) -> None:
    """So do exceptions."""
    told(arq_redis, PICKLE)
    job = await enqueue(arq_redis, "odd")

    await make_worker(odd, **PICKLE).async_run()

    with pytest.raises(OddError) as raised:
        await job.result()
    assert raised.value.args == (7,)


async def test_msgpack(arq_redis: ArqRedis, make_worker: Any) -> None:
    """With msgpack what it can hold comes through; tuples are lists."""
    told(arq_redis, MSGPACK)
    job = await enqueue(arq_redis, "echo", (1, 2), b"raw", x={"y": None})

    await make_worker(echo, **MSGPACK).run_check()

    assert await job.result() == [[[1, 2], b"raw"], {"x": {"y": None}}]
    [ended] = await arq_redis.all_job_results()
    assert list(ended.args) == [[1, 2], b"raw"]


async def test_serializer_that_refuses_an_argument(arq_redis: ArqRedis) -> None:
    """What a serializer refuses is refused to the caller, with the cause."""
    told(arq_redis, MSGPACK)

    with pytest.raises(SerializationError, match=r'^unable to serialize job "add"') as raised:
        await arq_redis.enqueue_job("add", datetime.now(UTC))
    assert isinstance(raised.value.__cause__, TypeError)


async def test_serializer_that_refuses_a_result(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A result that cannot be written makes the job a failure, in words."""
    told(arq_redis, MSGPACK)

    async def now(ctx: Any) -> datetime:
        return datetime.now(UTC)

    job = await enqueue(arq_redis, "now", _job_id="id")

    await make_worker(func(now, name="now"), **MSGPACK).async_run()

    with pytest.raises(SerializationError, match=r"^unable to serialize result"):
        await job.result()
    assert not (await end_of(job)).success
    assert any(message.startswith("error serializing result of id:now") for message in caplog.messages)


async def test_failure_under_msgpack(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A failed job is a failure, although msgpack cannot hold an exception."""
    told(arq_redis, MSGPACK)
    job = await enqueue(arq_redis, "boom")

    await make_worker(boom, **MSGPACK).async_run()

    assert not (await end_of(job)).success
    with pytest.raises((ValueError, SerializationError)):
        await job.result()


async def test_envelopes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A serializer meets arq's one-letter dicts, of the job and of the result; a deserializer their bytes."""
    written: list[dict[str, Any]] = []

    def write(envelope: dict[str, Any]) -> bytes:
        written.append(dict(envelope))
        return pickle.dumps(envelope)

    def read(raw: bytes) -> dict[str, Any]:
        envelope: dict[str, Any] = pickle.loads(raw)
        # As people do who make tuples of msgpack's lists: both kinds of envelope have these.
        envelope["a"] = tuple(envelope["a"])
        envelope["k"] = dict(envelope["k"])
        return envelope

    own = {"job_serializer": write, "job_deserializer": read}
    told(arq_redis, own)
    before = timestamp_ms()
    job = await enqueue(arq_redis, "add", 1, b=2)
    failing = await enqueue(arq_redis, "boom", _job_try=3)

    await make_worker(add, boom, **own).async_run()

    assert await job.result() == 3
    of_job, of_failing, *results = written
    assert [*of_job] == ["t", "f", "a", "k", "et"]
    assert (of_job["t"], of_job["f"], of_job["a"], of_job["k"]) == (None, "add", (1,), {"b": 2})
    assert before <= of_job["et"] <= timestamp_ms()
    assert of_failing["t"] == 3
    of_result = next(one for one in results if one["f"] == "add")
    assert of_result == {
        "t": 1,
        "f": "add",
        "a": (1,),
        "k": {"b": 2},
        "et": of_job["et"],
        "s": True,
        "r": 3,
        "st": of_result["st"],
        "ft": of_result["ft"],
        "q": "arq:queue",
        "id": job.job_id,
    }
    assert before <= of_result["st"] <= of_result["ft"] <= timestamp_ms()
    of_failure = next(one for one in results if one["f"] == "boom")
    assert (of_failure["s"], of_failure["t"], repr(of_failure["r"])) == (False, 3, "ValueError('boom')")
    assert repr((await end_of(failing)).result) == "ValueError('boom')"


async def test_envelope_of_an_aborted_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The end of a job that never ran is read by the same deserializer."""

    def read(raw: bytes) -> dict[str, Any]:
        envelope: dict[str, Any] = pickle.loads(raw)
        envelope["a"] = tuple(envelope["a"])
        return envelope

    own = {"job_serializer": pickle.dumps, "job_deserializer": read}
    told(arq_redis, own)
    job = await enqueue(arq_redis, "add", 1, _defer_by=60)

    async with at_work(make_worker(add, allow_abort_jobs=True, **own)):
        assert await job.abort(timeout=5, poll_delay=0.02)

    ended = await end_of(job)
    assert (ended.function, ended.args, ended.success) == ("add", (1,), False)


async def test_worker_that_connects_has_its_serializer(
    redis_settings: RedisSettings, make_worker: Any
) -> None:
    """A worker's serializer is that of the pool it makes."""
    pool = await create_pool(redis_settings, **MSGPACK)
    job = await enqueue(pool, "add", 1, 2)
    worker = make_worker(add, redis_settings=redis_settings, **MSGPACK)

    await worker.run_check()

    assert worker.pool.job_serializer is msgpack.packb
    assert worker.pool.job_deserializer is unpack
    assert await job.result() == 3
    await pool.aclose(close_connection_pool=True)


async def test_job_that_cannot_be_read(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A job whose bytes the worker cannot read fails and is gone."""
    told(arq_redis, MSGPACK)
    await enqueue(arq_redis, "add", _job_id="id")
    worker = make_worker(add, **PICKLE)

    await worker.async_run()

    assert (worker.jobs_complete, worker.jobs_failed) == (0, 1)
    assert [(r.levelname, r.getMessage()) for r in caplog.records if "id failed" in r.getMessage()] == [
        ("ERROR", "deserializing job id failed")
    ]
    ended = await end_of(Job("id", arq_redis, _deserializer=pickle.loads))
    assert (ended.function, ended.success) == ("<unknown>", False)
    assert isinstance(ended.result, DeserializationError)


@pytest.mark.parametrize("serializers", [(None, None), (pickle.dumps, pickle.loads), (msgpack.packb, unpack)])
def test_functions_round_trip(serializers: Any) -> None:
    """What `serialize_job` and `serialize_result` write, their counterparts read."""
    write, read = serializers

    raw = serialize_job("f", (1,), {"k": 2}, None, 5000, serializer=write)
    result = serialize_result(
        "f", (1,), {"k": 2}, 3, 5000, True, "r", 6000, 7000, "ref", "q", "id", serializer=write
    )

    job = deserialize_job(raw, deserializer=read)
    assert (job.function, list(job.args), job.kwargs) == ("f", [1], {"k": 2})
    assert (job.job_try, job.enqueue_time.timestamp(), job.score, job.job_id) == (None, 5.0, None, None)
    function, args, kwargs, job_try, enqueue_ms = deserialize_job_raw(raw, deserializer=read)
    assert (function, list(args), kwargs, job_try, enqueue_ms) == ("f", [1], {"k": 2}, None, 5000)
    assert result is not None
    ended = deserialize_result(result, deserializer=read)
    assert isinstance(ended, JobResult)
    assert (ended.success, ended.result, ended.queue_name, ended.job_id) == (True, "r", "q", "id")
    assert (ended.start_time.timestamp(), ended.finish_time.timestamp()) == (6.0, 7.0)


def test_functions_refuse() -> None:
    """What cannot be written or read is told as elsewhere."""
    with pytest.raises(SerializationError, match=r'^unable to serialize job "f"'):
        serialize_job("f", (lambda: 1,), {}, None, 0)
    with pytest.raises(DeserializationError, match=r"^unable to deserialize job$"):
        deserialize_job(b"rubbish")
    with pytest.raises(DeserializationError, match=r"^unable to deserialize job$"):
        deserialize_job_raw(b"rubbish")
    with pytest.raises(DeserializationError, match=r"^unable to deserialize job result$"):
        deserialize_result(b"rubbish")


def test_result_that_nothing_can_write() -> None:
    """A serializer that refuses everything gives None; one that refuses the result, a failure in words."""

    def refuse(envelope: Any) -> bytes:
        raise ZeroDivisionError

    times = 1, 2, "ref", "q", "id"
    assert serialize_result("f", (), {}, 1, 0, True, "r", *times, serializer=refuse) is None

    raw = serialize_result("f", (), {}, 1, 0, True, lambda: 1, *times, serializer=pickle.dumps)
    assert raw is not None
    ended = deserialize_result(raw, deserializer=pickle.loads)
    assert (ended.success, ended.result) == (False, "unable to serialize result")
