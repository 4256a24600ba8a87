"""Limits of functions, seen from outside: `max_jobs` of one function holds up none of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import cpu_jobs
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from worker_toys import Ctx, at_work, counts, end_of, enqueue, traces

from arqlite import ArqRedis, Retry, func
from arqlite.engine import RedisEngine, Turn
from arqlite.engine import Returned as GivenBack
from arqlite.jobs import Job, JobStatus
from arqlite.model.functions import Function
from arqlite.model.outcomes import Returned
from arqlite.runtime.executor import Executor
from arqlite.runtime.run import Run


class Room:
    """A job that stays inside until it is let out, and counts who is inside with it."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self.order: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}
        self.is_open = False

    async def __call__(self, ctx: Ctx) -> None:
        job_id = ctx["job_id"]
        self.inside.append(job_id)
        self.order.append(job_id)
        self.most = max(self.most, len(self.inside))
        try:
            await asyncio.sleep(0) if self.is_open else await self._door(job_id).wait()
        finally:
            self.inside.remove(job_id)

    def let_out(self, *job_ids: str) -> None:
        for job_id in job_ids:
            self._door(job_id).set()

    def open(self) -> None:
        self.is_open = True
        self.let_out(*self._doors)

    def _door(self, job_id: str) -> asyncio.Event:
        return self._doors.setdefault(job_id, asyncio.Event())


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each turn of any worker has claimed."""
    claimed: list[int] = []
    turn = RedisEngine.turn

    async def noted(engine: RedisEngine, *args: Any) -> Turn:
        answer = await turn(engine, *args)
        claimed.append(len(answer.job_ids))
        return answer

    monkeypatch.setattr(RedisEngine, "turn", noted)
    return claimed


async def noop(ctx: Ctx) -> None: ...


async def fill(pool: ArqRedis, name: str, count: int, start: int = 0) -> list[str]:
    """Enqueue jobs whose ids are in the order of their numbers."""
    return [
        (await enqueue(pool, name, _job_id=f"{name}{number:03}")).job_id
        for number in range(start, start + count)
    ]


async def held(pool: ArqRedis) -> int:
    engine = RedisEngine(pool, "arq:queue")
    size = await engine.size()
    await engine.close()
    return size.held


async def test_limit_is_kept_and_the_other_slots_are_used(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A function with a limit has that many slots and never more; all others have the rest."""
    narrow, wide = Room(), Room()
    await fill(arq_redis, "narrow", 5)
    await fill(arq_redis, "wide", 5)
    worker = make_worker([func(narrow, name="narrow", max_jobs=2), func(wide, name="wide")], max_jobs=4)

    async with at_work(worker):
        await eventually(lambda: (len(narrow.inside), len(wide.inside)) == (2, 2))
        narrow.open()
        wide.open()
        await eventually(lambda: worker.jobs_complete == 10)

    assert narrow.most == 2


async def test_jobs_behind_are_not_held_up(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any, turns: list[int]
) -> None:
    """Behind a long row of jobs that may not start yet, the next one that may is found in a few turns."""
    await arq_redis.enqueue_many([("room",)] * 500)
    behind = await enqueue(arq_redis, "noop")
    worker = make_worker([func(room, name="room", max_jobs=1), func(noop, name="noop")], max_jobs=2)

    async with at_work(worker):
        assert await behind.result(timeout=5) is None
        assert len(room.inside) == 1
        assert len(turns) < 40
        room.open()
        await eventually(lambda: worker.jobs_complete == 501, 20)

    assert room.most == 1


async def test_each_worker_has_its_own_limit(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """Two workers with a limit of two run four jobs of the function, and a burst ends when all are done."""
    workers = [make_worker([func(room, name="room", max_jobs=2)], max_jobs=8) for _ in range(2)]
    await fill(arq_redis, "room", 20)

    both = asyncio.gather(*(worker.main() for worker in workers))
    await eventually(lambda: len(room.inside) == 4)
    assert await held(arq_redis) <= 16
    room.open()
    await asyncio.wait_for(both, 15)

    assert sum(worker.jobs_complete for worker in workers) == 20
    assert room.most == 4
    assert await held(arq_redis) == 0


async def test_worker_without_the_limit_takes_what_another_held(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """Jobs that a worker has no room for run on one whose settings know no limit."""
    narrow = make_worker([func(room, name="room", max_jobs=1)], max_jobs=8)
    free = make_worker([func(room, name="room")], max_jobs=8)

    async with at_work(narrow):
        await fill(arq_redis, "room", 5)
        await eventually(lambda: held(arq_redis))
        async with at_work(free):
            await eventually(lambda: len(room.inside) == 5)
            await fill(arq_redis, "room", 3, start=5)
            await eventually(lambda: len(room.inside) == 8, within=8)
            room.open()
            await eventually(lambda: counts(narrow)[0] + counts(free)[0] == 8)


async def test_order_within_a_function_is_kept(arq_redis: ArqRedis, make_worker: Any, room: Room) -> None:
    """Jobs of a function with a limit start in the order they came in, whatever runs between them."""
    room.is_open = True
    expected = []
    for number in range(60):
        expected += await fill(arq_redis, "room", 1, start=number)
        await enqueue(arq_redis, "noop")
    worker = make_worker([func(room, name="room", max_jobs=2), func(noop, name="noop")], max_jobs=6)

    assert await worker.run_check() == 120

    assert room.order == expected


async def test_thousands_of_one_function_and_others(
    arq_redis: ArqRedis, make_worker: Any, room: Room, request: pytest.FixtureRequest
) -> None:
    """Thousands of jobs over the limit all run, within it, and leave nothing behind."""
    count = 5000 if request.node.callspec.params["arq_redis"] == "real" else 1000
    room.is_open = True
    await arq_redis.enqueue_many([("room",)] * count + [("noop",)] * 200)
    worker = make_worker(
        [func(room, name="room", max_jobs=3, keep_result=0), func(noop, name="noop", keep_result=0)]
    )

    assert await worker.run_check() == count + 200

    assert room.most <= 3
    assert len(room.order) == len(set(room.order)) == count
    assert await traces(arq_redis) <= {"wake", "arq:queue:health-check"}


async def test_abort_of_a_held_job(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """A held job is queued for everybody who asks, and is aborted without any worker's help."""
    async with at_work(make_worker([func(room, name="room", max_jobs=1)], max_jobs=4)):
        jobs = [await enqueue(arq_redis, "room", _job_id=f"r{number}") for number in range(3)]
        await eventually(lambda: held(arq_redis))

        async def both_held() -> bool:
            return await held(arq_redis) == 2

        await eventually(both_held)
        assert await jobs[2].status() is JobStatus.queued
        assert len(await arq_redis.queued_jobs()) == 3

        assert await jobs[2].abort(timeout=5) is True
        room.open()
        await jobs[1].result(timeout=5)

    assert room.order == ["r0", "r1"]


@pytest.mark.parametrize("allow", [True, False])
async def test_abort_of_a_job_that_is_just_being_held(
    arq_redis: ArqRedis,
    make_worker: Any,
    room: Room,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    allow: bool,
) -> None:
    """An abort that comes between the claim of a job and its way back is done where the job is then."""
    turn, aborts = RedisEngine.turn, list[asyncio.Task[bool]]()

    async def late(
        engine: RedisEngine, session: str, want: int, ended: Any, returned: Any, *others: Any
    ) -> Turn:
        for job in returned:
            if job.job_id == "r1" and not aborts:
                aborts.append(asyncio.create_task(Job("r1", arq_redis).abort(timeout=5)))
                await eventually(lambda: arq_redis.exists(engine.keys.inbox(session)))
        return await turn(engine, session, want, ended, returned, *others)

    monkeypatch.setattr(RedisEngine, "turn", late)
    worker = make_worker([func(room, name="room", max_jobs=1)], max_jobs=4, allow_abort_jobs=allow)
    async with at_work(worker):
        for number in range(3):
            await enqueue(arq_redis, "room", _job_id=f"r{number}")
        await eventually(lambda: aborts)

        assert await aborts[0] is True
        room.open()
        await Job("r2", arq_redis).result(timeout=5)

    assert room.order == ["r0", "r2"]
    assert counts(worker) == (2, 1, 0)


async def test_abort_of_a_job_whose_way_back_is_told_twice(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An abort is done although the reply is lost that told of it: the turn that is sent again tells, too."""
    turn, aborts = RedisEngine.turn, list[asyncio.Task[bool]]()

    async def lossy(
        engine: RedisEngine, session: str, want: int, ended: Any, returned: Any, *others: Any
    ) -> Turn:
        is_first = not aborts and any(job.job_id == "r1" for job in returned)
        if is_first:
            aborts.append(asyncio.create_task(Job("r1", arq_redis).abort(timeout=5)))
            await eventually(lambda: arq_redis.exists(engine.keys.inbox(session)))
        answer = await turn(engine, session, want, ended, returned, *others)
        if is_first:
            raise RedisConnectionError("the reply is lost")
        return answer

    monkeypatch.setattr(RedisEngine, "turn", lossy)
    async with at_work(make_worker([func(room, name="room", max_jobs=1)], max_jobs=4, allow_abort_jobs=True)):
        for number in range(3):
            await enqueue(arq_redis, "room", _job_id=f"r{number}")
        await eventually(lambda: aborts)

        assert await aborts[0] is True
        room.open()
        await Job("r2", arq_redis).result(timeout=5)

    assert room.order == ["r0", "r2"]


async def test_shutdown_leaves_held_jobs_to_others(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """A worker that shuts down takes no held job along; the next one begins with the eldest."""
    ids = await fill(arq_redis, "room", 6)
    async with at_work(make_worker([func(room, name="room", max_jobs=1)], max_jobs=4)):
        await eventually(lambda: room.inside)
        await eventually(lambda: held(arq_redis))
    room.order.clear()
    room.is_open = True

    assert await make_worker([func(room, name="room", max_jobs=1)], max_jobs=4).run_check() == 6

    assert room.order == ids


async def test_dead_workers_held_jobs_run_elsewhere(
    arq_redis: ArqRedis, make_worker: Any, room: Room
) -> None:
    """What a worker that died had put on hold was nobody's, and runs on the next one, limit or not."""
    ids = await fill(arq_redis, "room", 6)
    engine = RedisEngine(arq_redis, "arq:queue")
    await engine.open("dead", 60_000)
    turn = await engine.turn("dead", 6, {}, (), ())
    holds = [
        GivenBack(raw.decode(), "held", ms, "", "room")
        for raw, ms in zip(turn.job_ids[2:], turn.moments[2:], strict=True)
    ]
    await engine.turn("dead", 0, {}, holds, ())
    await arq_redis.zadd(engine.keys.live, {"dead": 1})
    room.is_open = True

    worker = make_worker([func(room, name="room")], max_jobs=2)
    assert await worker.run_check() == 6

    assert sorted(room.order) == ids
    await engine.close()


async def test_function_that_no_worker_knows_any_more(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """Held jobs of a function that was taken out of all workers end as any others of unknown functions."""
    jobs = [await enqueue(arq_redis, "room", _job_id=f"r{number}") for number in range(3)]
    async with at_work(make_worker([func(room, name="room", max_jobs=1)], max_jobs=4)):
        await eventually(lambda: room.inside)
        await eventually(lambda: held(arq_redis))
    engine = RedisEngine(arq_redis, "arq:queue")
    await arq_redis.hset(engine.keys.holds, "room", "?1")

    worker = make_worker([func(noop, name="noop")], unknown_function_ttl=0)
    await worker.main()

    assert worker.jobs_failed == 3
    assert str((await end_of(jobs[2])).result) == "function 'room' not found"
    await engine.close()


async def test_cpu_functions_share_one_limit(
    arq_redis: ArqRedis, make_worker: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """All functions for processes together run no more jobs than there are processes."""
    rooms = {"resize": Room(), "zip": Room(), "plain": Room()}
    together = 0

    async def call(executor: Executor, run: Run) -> Returned:
        nonlocal together
        await rooms[run.function]({"job_id": run.job_id})
        together = max(together, len(rooms["resize"].inside) + len(rooms["zip"].inside))
        return Returned(None)

    monkeypatch.setattr(Executor, "_call", call)
    functions = [
        Function(name, noop if name == "plain" else cpu_jobs.pid, None, None, None, None, cpu=name != "plain")
        for name in rooms
    ]
    for name in rooms:
        await fill(arq_redis, name, 4)
    worker = make_worker(functions, max_jobs=8, cpu_processes=2)

    async with at_work(worker):
        await eventually(lambda: [len(room.inside) for room in rooms.values()] == [2, 0, 4])
        for room in rooms.values():
            room.open()
        await eventually(lambda: worker.jobs_complete == 12)

    assert together <= 2


async def test_idle_worker_with_room_hears_of_a_hold(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """Whoever hears of a new job first: if it has no room, one that has does not sleep on."""
    workers = [make_worker([func(room, name="room", max_jobs=1)], max_jobs=4) for _ in range(3)]
    async with at_work(workers[0]), at_work(workers[1]), at_work(workers[2]):
        await fill(arq_redis, "room", 3)
        await eventually(lambda: len(room.inside) == 3, within=2)
        for number in range(3, 12):
            room.let_out(room.inside[number % 3])
            await eventually(lambda: len(room.inside) == 2, within=2)
            await fill(arq_redis, "room", 1, start=number)
            await eventually(lambda: len(room.inside) == 3, within=2)
        room.open()
        await eventually(lambda: sum(worker.jobs_complete for worker in workers) == 12)

    assert room.most == 3


async def test_room_is_free_when_the_hooks_are_done(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any
) -> None:
    """The slot of a limited function that a hook kept after the job's end goes to the next held job."""
    hooks = 0

    async def after(ctx: Ctx) -> None:
        nonlocal hooks
        hooks += 1
        await asyncio.sleep(0.01)

    room.is_open = True
    functions = [func(room, name="room", max_jobs=1)]
    async with at_work(make_worker(functions, max_jobs=4, after_job_end=after)):
        ids = await fill(arq_redis, "room", 8)
        await eventually(lambda: hooks == 8, within=3)

    assert room.order == ids


async def test_retried_job_keeps_within_the_limit(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that asks for another run gives its room back, and takes part again."""
    inside = most = 0

    async def again(ctx: Ctx) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        if ctx["job_try"] < 3:
            raise Retry(0.001)
        return int(ctx["job_try"])

    await arq_redis.enqueue_many([("again",)] * 30)
    worker = make_worker([func(again, name="again", max_jobs=2)], max_jobs=6)

    assert await worker.run_check() == 30

    assert (most, worker.jobs_retried) == (2, 60)


async def test_full_functions_cost_an_idle_worker_nothing(
    arq_redis: ArqRedis, make_worker: Any, room: Room, eventually: Any, turns: list[int]
) -> None:
    """Workers that hold jobs and have no room for them do not go round asking, alone or among others."""
    workers = [make_worker([func(room, name="room", max_jobs=1)], max_jobs=4) for _ in range(2)]
    async with at_work(workers[0]), at_work(workers[1]):
        await fill(arq_redis, "room", 10)

        async def all_held() -> bool:
            return await held(arq_redis) == 8

        await eventually(all_held)
        assert len(turns) < 40
        await asyncio.sleep(0.1)  # the last tokens are taken by now, and what is counted is silence
        before = len(turns)
        await asyncio.sleep(0.5)

        assert len(turns) == before
        room.open()
        await eventually(lambda: sum(worker.jobs_complete for worker in workers) == 10)


async def test_max_burst_jobs_counts_only_what_starts(
    arq_redis: ArqRedis, make_worker: Any, room: Room
) -> None:
    """Jobs that were held are not counted as started, and those beyond the count stay in the queue."""
    room.is_open = True
    await arq_redis.enqueue_many([("room",)] * 30 + [("noop",)] * 30)
    worker = make_worker(
        [func(room, name="room", max_jobs=1), func(noop, name="noop")], max_jobs=5, max_burst_jobs=20
    )

    await worker.main()

    assert worker.jobs_complete == 20
    assert len(await arq_redis.queued_jobs()) == 40
