"""Functions with Oban's rules, as a worker runs them: outcomes, attempts, errors, and who hears of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import cpu_jobs
import pytest
from worker_toys import Ctx, Gate, at_work, counts, enqueue, lines

from arqlite import ArqRedis, Cancel, Discard, GlobalLimit, Retry, Snooze, current_job, func, task
from arqlite.engine import Keys, RedisEngine
from arqlite.errors import JobExecutionFailed
from arqlite.jobs import Job, JobStatus
from arqlite.model import memory as memories
from arqlite.model.memory import Memory
from arqlite.model.states import JobState
from arqlite.runtime import producer as producer_module
from arqlite.telemetry import JobStarted, JobStopped, attach, detach

WEEK_S = 7 * 86_400
DAY_MS = 86_400_000


class Script:
    """A job that does what stands in its list, one entry per run, and notes what it was told."""

    def __init__(self, *acts: Any) -> None:
        self.acts = list(acts)
        self.seen: list[tuple[int, int, bool]] = []
        self.errors: list[list[str]] = []
        self.meta: list[dict[str, Any]] = []

    async def __call__(self, ctx: Ctx, *args: Any, **kwargs: Any) -> Any:
        job = ctx["job"]
        assert job is current_job()
        self.seen.append((job.attempt, job.max_attempts, job.is_last_attempt))
        self.errors.append([error.message for error in job.errors])
        self.meta.append(job.meta)
        act = self.acts.pop(0)
        if act == "hang":
            await asyncio.sleep(30)
        if isinstance(act, BaseException):
            raise act
        return act.value if isinstance(act, Back) else act


class Back:
    """Wraps what a run is to return rather than raise."""

    def __init__(self, value: Any) -> None:
        self.value = value


def of(script: Any, **options: Any) -> Any:
    return task(**{"name": "script", "backoff": 0, **options})(script)


async def memory_of(pool: ArqRedis, job: Job) -> Memory:
    return memories.decode(await pool.hget(Keys("arq:queue").tries, job.job_id))


async def state_of(job: Job) -> str:
    """Read how a job ended out of its record."""
    record = (await job._peek()).record
    return {b"S": "completed", b"F": "discarded", b"C": "cancelled"}[record[14:15]]


@pytest.fixture
def told() -> Iterator[list[JobStarted | JobStopped]]:
    """The events about runs, as they come."""
    events: list[JobStarted | JobStopped] = []
    attach("told", (JobStarted, JobStopped), events.append)
    yield events
    detach("told")


async def test_task_completes(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A task beside a bare function: both run, and what they return is their result."""
    script = Script(1)
    mine, other = await enqueue(arq_redis, "script"), await enqueue(arq_redis, "bare")

    async def bare(ctx: Ctx) -> int:
        return 2

    assert await make_worker([of(script), func(bare, name="bare")]).run_check() == 2

    assert (await mine.result(), await other.result()) == (1, 2)
    assert await mine.errors() == []
    assert script.seen == [(1, 20, False)]


async def test_failed_attempts_are_tried_again(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that fails runs again with its attempt and its errors so far; each error is kept."""
    caplog.set_level(logging.INFO)
    script = Script(ValueError("one"), KeyError("two"), "done")
    job = await enqueue(arq_redis, "script", _job_id="s")
    worker = make_worker([of(script)])

    assert await worker.run_check() == 1

    assert script.seen == [(1, 20, False), (2, 20, False), (3, 20, False)]
    assert script.errors == [[], ["one"], ["one", "'two'"]]
    assert counts(worker) == (1, 0, 2)
    first, second = await job.errors()
    assert (first.attempt, first.type, first.message) == (1, "ValueError", "one")
    assert (second.attempt, second.type, second.message) == (2, "KeyError", "'two'")
    assert "in __call__" in first.traceback
    assert first.worker == second.worker != ""
    assert 0 <= time.time() - first.at.timestamp() < 30
    told = [line for line in lines(caplog) if "↻" in line]
    assert told[0].endswith("s:script failed, ValueError: one; attempt 1 of 20, the next one in 0.00s")


async def test_attempts_are_used_up(arq_redis: ArqRedis, make_worker: Any) -> None:
    """The last attempt knows that it is; its failure discards the job, and all errors are kept a week."""
    script = Script(*[ValueError(str(number)) for number in range(3)])
    job = await enqueue(arq_redis, "script")
    worker = make_worker([of(script, max_attempts=3)])

    await worker.main()

    assert script.seen == [(1, 3, False), (2, 3, False), (3, 3, True)]
    assert counts(worker) == (0, 1, 2)
    with pytest.raises(ValueError, match="2"):
        await job.result()
    assert [error.message for error in await job.errors()] == ["0", "1", "2"]
    assert WEEK_S - 60 < await arq_redis.ttl(Keys("arq:queue").errors(job.job_id)) <= WEEK_S
    assert await state_of(job) == "discarded"


@pytest.mark.parametrize(("most", "home"), [(1, "finished"), (2, "scheduled")])
async def test_failure_of_the_only_attempt(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, most: int, home: str
) -> None:
    """Attempt 1 of 1 that fails is discarded, 1 of 2 waits for the next; both keep the error."""
    job = await enqueue(arq_redis, "script")

    async with at_work(make_worker([of(Script(ValueError("no")), max_attempts=most, backoff=3600)])):
        await eventually(job.errors)

    assert (await job._peek()).home == home
    assert [error.message for error in await job.errors()] == ["no"]


async def test_failed_job_waits_for_its_back_off(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, told: list[Any]
) -> None:
    """A job that failed is retryable and due after its back-off; its event has the error."""
    job = await enqueue(arq_redis, "script")
    async with at_work(make_worker([of(Script(ValueError("no")), backoff=[60, 3600])])):
        await eventually(lambda: any(isinstance(event, JobStopped) for event in told))
        await eventually(job.errors)

    peek = await job._peek()
    assert (peek.home, await job.status()) == ("scheduled", JobStatus.deferred)
    assert 50_000 < peek.ms - time.time() * 1000 <= 60_000
    memory = await memory_of(arq_redis, job)
    assert (memory.tries, memory.is_retryable, memory.snoozes) == (1, 1, 0)
    assert (told[-1].state, str(told[-1].error)) == ("retryable", "no")


async def test_default_back_off(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """Without a word about back-off a job waits 17 to 19 seconds after its first attempt."""
    job = await enqueue(arq_redis, "script")
    async with at_work(make_worker([of(Script(ValueError("no")), backoff=None)])):
        await eventually(job.errors)

    assert 15_000 < (await job._peek()).ms - time.time() * 1000 <= 18_800


async def test_snooze(arq_redis: ArqRedis, make_worker: Any, told: list[Any]) -> None:
    """A job may snooze as often as it likes: it loses no attempt, and its meta counts the snoozes."""
    script = Script(Back(Snooze(0)), Snooze(0.01), *[Back(Snooze(0))] * 48, "awake")
    job = await arq_redis.options(meta={"who": "me"}, max_attempts=1).enqueue("script")
    worker = make_worker([of(script)])

    assert await worker.run_check() == 1

    assert set(script.seen) == {(1, 1, True)}
    assert len(script.seen) == 51
    assert [meta.get("snoozed", 0) for meta in script.meta] == list(range(51))
    assert all(meta["who"] == "me" for meta in script.meta)
    assert await job.errors() == []
    stops = [event.state for event in told if isinstance(event, JobStopped)]
    assert (stops[0], stops[-1]) == ("snoozed", "completed")


async def test_snoozed_job_is_scheduled(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A snoozed job is due after its delay, counted as no try and no failure; a bare function may, too."""
    job = await enqueue(arq_redis, "script")

    async with at_work(make_worker([func(Script(Back(Snooze(60))), name="script")])):
        await eventually(lambda: _is_scheduled(job))

    assert 50_000 < (await job._peek()).ms - time.time() * 1000 <= 60_000
    memory = await memory_of(arq_redis, job)
    assert (memory.tries, memory.is_retryable, memory.snoozes) == (0, 0, 1)


async def _is_scheduled(job: Job) -> bool:
    return (await job._peek()).home == "scheduled"


async def test_snoozed_job_keeps_its_attempts(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that failed, snoozed and failed again has had two attempts."""
    script = Script(ValueError("1"), Back(Snooze(0)), ValueError("2"), "done")
    job = await enqueue(arq_redis, "script")

    assert await make_worker([of(script)]).run_check() == 1

    assert [attempt for attempt, *_ in script.seen] == [1, 2, 2, 3]
    assert [error.attempt for error in await job.errors()] == [1, 2]


@pytest.mark.parametrize("wrap", [Back, lambda control: control], ids=["returned", "raised"])
@pytest.mark.parametrize("kind", [of, lambda script: func(script, name="script")], ids=["task", "bare"])
@pytest.mark.parametrize(
    ("control", "state"), [(Cancel("moved away"), "cancelled"), (Discard("no such user"), "discarded")]
)
async def test_job_that_gives_up(
    arq_redis: ArqRedis,
    make_worker: Any,
    told: list[Any],
    wrap: Any,
    kind: Any,
    control: Any,
    state: str,
) -> None:
    """`Cancel` and `Discard` end a job in their state with the reason as its one error; others go on."""
    job = await enqueue(arq_redis, "script")
    neighbour = await enqueue(arq_redis, "script")
    worker = make_worker([kind(Script(wrap(control), "fine"))], max_jobs=1)

    await worker.main()

    assert await state_of(job) == state
    assert [(error.attempt, error.message) for error in await job.errors()] == [(1, str(control))]
    with pytest.raises(type(control), match=str(control)):
        await job.result()
    assert await neighbour.result() == "fine"
    assert [event.state for event in told if isinstance(event, JobStopped)] == [state, "completed"]


@pytest.mark.parametrize("wrap", [Back, lambda control: control], ids=["returned", "raised"])
async def test_discard_is_logged_with_its_reason(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture, wrap: Any
) -> None:
    """A job that discards itself is one line of the log; it is no bug whose place has to be shown."""
    await enqueue(arq_redis, "script")

    await make_worker([of(Script(wrap(Discard("no such user"))))]).main()

    [line] = [record for record in caplog.records if "no such user" in record.getMessage()]
    assert line.getMessage().endswith("script discarded itself: no such user")
    assert (line.levelname, line.exc_info) == ("ERROR", None)


async def test_discard_is_logged_with_its_cause(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """`raise Discard(...) from error` shows that error with its traceback."""
    discard = Discard("no such user")
    discard.__cause__ = LookupError("404")
    await enqueue(arq_redis, "script")

    await make_worker([of(Script(discard))]).main()

    [line] = [record for record in caplog.records if "no such user" in record.getMessage()]
    assert line.exc_info is not None
    assert line.exc_info[1] is discard.__cause__


async def test_timeout_is_a_failure_like_others(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A task over its time is tried again; its error says so, and shows where it was."""
    script = Script("hang", "done")
    job = await enqueue(arq_redis, "script")

    assert await make_worker([of(script, timeout=0.02)]).run_check() == 1

    [error] = await job.errors()
    assert (error.type, error.message) == ("TimeoutError", "timed out after 0.02s")
    assert "asyncio.sleep(30)" in error.traceback


async def test_task_has_no_timeout_of_the_worker(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`job_timeout` is for bare functions: a task without a timeout may take its time."""

    async def slow(ctx: Ctx) -> str:
        await asyncio.sleep(0.1)
        return "done"

    mine, other = await enqueue(arq_redis, "script"), await enqueue(arq_redis, "bare")
    worker = make_worker([of(slow), func(slow, name="bare")], job_timeout=0.02)

    await worker.main()

    assert await mine.result() == "done"
    with pytest.raises(TimeoutError):
        await other.result()
    assert [(error.attempt, error.type) for error in await other.errors()] == [(1, "TimeoutError")]


async def test_retry_of_a_task(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`Retry` counts as an attempt; when there is none left the job is discarded at once, in words."""
    script = Script(Retry(0.01), Retry())
    job = await enqueue(arq_redis, "script")
    worker = make_worker([of(script, max_attempts=2, backoff=3600)])

    await worker.main()

    assert script.seen == [(1, 2, False), (2, 2, True)]
    with pytest.raises(JobExecutionFailed, match="asked to be run again at attempt 2 of 2"):
        await job.result()
    assert [error.type for error in await job.errors()] == ["Retry", "JobExecutionFailed"]


@pytest.mark.parametrize(
    "crash", [SystemExit(3), asyncio.CancelledError(), BaseExceptionGroup("g", [KeyError()])]
)
async def test_whatever_is_raised_is_tried_again(
    arq_redis: ArqRedis, make_worker: Any, crash: BaseException
) -> None:
    """An exit, a cancellation from within and the crash of children cost one attempt, and no neighbour."""
    job, neighbour = await enqueue(arq_redis, "script"), await enqueue(arq_redis, "other")
    worker = make_worker([of(Script(crash, "done")), func(Script("fine"), name="other")])

    assert await worker.run_check() == 2

    assert len(await job.errors()) == 1
    assert await neighbour.result() == "fine"


async def test_failed_bare_function_keeps_its_error(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A bare function that fails is over at once, as in arq, and its error is read like others."""
    job = await enqueue(arq_redis, "script")
    worker = make_worker([func(Script(ValueError("no")), name="script")])

    await worker.main()

    assert counts(worker) == (0, 1, 0)
    [error] = await job.errors()
    assert (error.attempt, error.type, error.message) == (1, "ValueError", "no")
    assert 3500 < await arq_redis.ttl(Keys("arq:queue").errors(job.job_id)) <= 3600


async def test_retries_of_a_bare_function_are_no_errors(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`Retry` of a bare function is no error; running out of tries is."""
    script = Script(Retry(), Retry())
    job = await enqueue(arq_redis, "script")

    await make_worker([func(script, name="script", max_tries=2)]).main()

    assert script.seen == [(1, 2, False), (2, 2, True)]
    assert [error.message for error in await job.errors()] == ["max 2 retries exceeded"]


async def test_attempts_of_the_job_itself(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job's own `max_attempts` comes before its task's; what was granted by hand it has at least."""
    script = Script(*[ValueError("no")] * 3)
    job = await arq_redis.options(max_attempts=2).enqueue("script")
    await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(granted=3).encode())

    await make_worker([of(script, max_attempts=7)]).main()

    assert script.seen == [(1, 3, False), (2, 3, False), (3, 3, True)]


async def test_first_try_counts(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that comes with a number of its first try has used up those before."""
    script = Script(ValueError("no"))
    await arq_redis.options(first_try=3).enqueue("script")

    await make_worker([of(script, max_attempts=3)]).main()

    assert script.seen == [(3, 3, True)]


async def test_job_without_attempts_is_not_run(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job whose attempts are used up is never run, though it waits with the others."""
    script = Script()
    job = await enqueue(arq_redis, "script")
    await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(tries=4).encode())

    await make_worker([of(script, max_attempts=4)]).main()

    assert script.seen == []
    with pytest.raises(JobExecutionFailed, match="all of its attempts are used up, max_attempts is 4"):
        await job.result()


async def test_crashes_are_no_attempts(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker's death costs a task's job no attempt and leaves no error, but is counted."""
    seen: list[tuple[int, int, int]] = []

    async def crashed(ctx: Ctx) -> None:
        job = ctx["job"]
        seen.append((job.attempt, job.crashes, ctx["job_try"]))

    job = await enqueue(arq_redis, "script")
    await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(tries=1, crashes=2).encode())

    assert await make_worker([of(crashed, max_attempts=2)]).run_check() == 1

    assert seen == [(2, 2, 4)]
    assert await job.errors() == []


async def test_task_that_kills_workers_is_discarded(arq_redis: ArqRedis, make_worker: Any) -> None:
    """After `max_rescues` dead workers a task's job is discarded in words, and that is its last error."""
    heard: list[str] = []
    script = Script()
    job = await enqueue(arq_redis, "script")
    await arq_redis.hset(Keys("arq:queue").tries, job.job_id, Memory(crashes=3).encode())
    worker = make_worker([of(script, on_discard=lambda job, error: heard.append(str(error)))])

    await worker.main()

    assert (script.seen, counts(worker)) == ([], (0, 1, 0))
    assert [error.message for error in await job.errors()] == ["worker died 3 times"]
    assert heard == ["worker died 3 times"]


async def test_facts_of_the_job(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job knows its tags, meta, priority and arguments; its meta is a copy."""
    seen: list[Any] = []

    async def look(ctx: Ctx, a: int, b: int = 0) -> None:
        job = ctx["job"]
        job.meta["mine"] = True
        seen.append((job.tags, job.meta, job.priority, tuple(job.args), job.kwargs, job.snoozes))

    made = of(look, tags=["Daily"], meta={"team": "a"}, priority=4)
    await arq_redis.enqueue(made, 1, b=2)
    await arq_redis.options(tags=["own"], meta={}, priority=0).enqueue(made, 3)

    await make_worker([made], max_jobs=1).run_check()

    assert seen == [
        (("own",), {}, 0, (3,), {}, 0),
        (("daily",), {"team": "a"}, 4, (1,), {"b": 2}, 0),
    ]


async def test_users_own_job_in_ctx_stays(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A worker whose `ctx` has a `job` of the user's keeps it."""
    seen: list[Any] = []

    async def look(ctx: Ctx) -> None:
        seen.append(ctx["job"])

    await enqueue(arq_redis, "look")
    await make_worker([func(look, name="look")], ctx={"job": "mine"}).run_check()

    assert seen == ["mine"]


async def test_plain_task_in_a_thread(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A plain function may be a task: it is run in a thread, knows its job, and is tried again."""
    seen: list[tuple[int, list[str]]] = []

    def plain(ctx: Ctx) -> Any:
        job = current_job()
        assert job is not None
        seen.append((job.attempt, [error.message for error in job.errors]))
        if job.attempt == 1:
            raise ValueError("no")
        return Snooze(0) if not job.snoozes else "done"

    job = await enqueue(arq_redis, "script")
    assert await make_worker([of(plain)]).run_check() == 1

    assert seen == [(1, []), (2, ["no"]), (2, ["no"])]
    assert await job.result() == "done"


async def test_cpu_task_in_a_process(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A task in a process is found by its name, knows its job there, and may snooze and fail."""
    job = await arq_redis.options(tags=["t"], meta={"m": 1}).enqueue(cpu_jobs.stubborn, "x")

    assert await make_worker([cpu_jobs.stubborn]).run_check() == 1

    assert await job.result() == {
        "attempt": 2, "max_attempts": 3, "last": False, "errors": ["not yet"], "tags": ["t"],
        "meta": {"m": 1, "snoozed": 1}, "snoozes": 1, "args": ["x"], "is_in_ctx": True,
    }  # fmt: skip


@pytest.mark.parametrize(("how", "words"), [("exit", "exit code 7"), ("SIGKILL", "killed by SIGKILL")])
async def test_process_that_dies_is_a_failed_attempt(
    arq_redis: ArqRedis, make_worker: Any, how: str, words: str
) -> None:
    """A task whose process exits or is killed is tried again; its error says how it died."""
    job = await arq_redis.enqueue(cpu_jobs.die_once, how)

    assert await make_worker([cpu_jobs.die_once]).run_check() == 1

    assert (await job.result()).startswith(f"process died: {words}")


async def test_task_by_its_path(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A task may stand in `functions` as a dotted path; jobs name it by its own name."""
    job = await arq_redis.enqueue(cpu_jobs.stubborn, "x")
    worker = make_worker(["cpu_jobs.stubborn"])

    assert worker.functions["stubborn"] is cpu_jobs.stubborn
    assert await worker.run_check() == 1
    assert (await job.result())["attempt"] == 2


# -- who hears of a discard


@pytest.mark.parametrize("is_async", [True, False])
async def test_task_hears_of_its_discard(arq_redis: ArqRedis, make_worker: Any, is_async: bool) -> None:
    """`on_discard`, a coroutine or a plain function, is called once, with the job and its last error."""
    heard: list[tuple[str, int, str, list[str]]] = []

    def plain(job: Any, error: BaseException) -> None:
        heard.append((job.job_id, job.attempt, str(error), [past.message for past in job.errors]))

    async def coroutine(job: Any, error: BaseException) -> None:
        plain(job, error)

    await enqueue(arq_redis, "script", _job_id="s")
    script = Script(ValueError("one"), ValueError("two"))
    worker = make_worker([of(script, max_attempts=2, on_discard=coroutine if is_async else plain)])

    await worker.main()

    assert heard == [("s", 2, "two", ["one"])]


@pytest.mark.parametrize("act", [Back(Discard("bad")), ValueError("bad"), Back(object())])
async def test_what_is_a_discard(arq_redis: ArqRedis, make_worker: Any, act: Any) -> None:
    """`Discard`, an error that is not tried again, and a result that cannot be written are discards."""
    heard: list[BaseException] = []
    job = await enqueue(arq_redis, "script")
    options = {"discard_on": ValueError, "on_discard": lambda _, error: heard.append(error)}

    await make_worker([of(Script(act), **options)]).main()

    assert len(heard) == 1
    assert await state_of(job) == "discarded"
    assert len(await job.errors()) == 1


@pytest.mark.parametrize("act", ["fine", Back(Cancel("no")), Back(Snooze(0)), ValueError("once")])
async def test_what_is_no_discard(arq_redis: ArqRedis, make_worker: Any, act: Any) -> None:
    """A job that completes, is cancelled, snoozes or is tried again is not discarded."""
    heard: list[BaseException] = []
    await enqueue(arq_redis, "script")

    await make_worker([of(Script(act, "fine"), on_discard=lambda _, error: heard.append(error))]).main()

    assert heard == []


async def test_expired_job_is_a_discard(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A task hears of a job that was not run in time."""
    heard: list[str] = []
    job = await arq_redis.options(expires=0.001).enqueue("script")
    enqueued_at = time.time()
    await eventually(lambda: time.time() > enqueued_at + 0.005)

    await make_worker([of(Script(), on_discard=lambda _, error: heard.append(str(error)))]).main()

    assert heard == ["job expired"]
    assert [error.message for error in await job.errors()] == ["job expired"]


async def test_broken_on_discard_harms_nobody(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An `on_discard` that raises is told in the log; the job is discarded, and the worker goes on."""

    def broken(job: Any, error: BaseException) -> None:
        raise RuntimeError("pager is away")

    job, other = await enqueue(arq_redis, "script"), await enqueue(arq_redis, "script")
    worker = make_worker(
        [of(Script(ValueError("no"), "fine"), max_attempts=1, on_discard=broken)], max_jobs=1
    )

    await worker.main()

    assert await state_of(job) == "discarded"
    assert await other.result() == "fine"
    assert any("on_discard of" in line and "is discarded all the same" in line for line in lines(caplog))


@pytest.mark.parametrize("cause", ["failed", "expired"])
async def test_interrupted_on_discard_is_called_again(
    arq_redis: ArqRedis, make_worker: Any, cause: str
) -> None:
    """A shutdown in the middle of `on_discard` gives the job back: it is called again by the next worker."""
    begun = asyncio.Event()
    heard: list[str] = []

    async def on_discard(job: Any, error: BaseException) -> None:
        heard.append(f"attempt {job.attempt}")
        if len(heard) == 1:
            begun.set()
            await asyncio.Event().wait()

    options: dict[str, Any] = {"_expires": 0.001} if cause == "expired" else {}
    job = await enqueue(arq_redis, "script", **options)
    await asyncio.to_thread(time.sleep, 0.01)
    function = of(Script(ValueError("no"), ValueError("no")), max_attempts=1, on_discard=on_discard)
    async with at_work(worker := make_worker([function])):
        await asyncio.wait_for(begun.wait(), 5)
    assert await job.status() is JobStatus.queued
    assert counts(worker) == (0, 0, 1)

    await make_worker([function]).main()

    assert heard == ["attempt 1", "attempt 1"]
    assert await state_of(job) == "discarded"


async def test_discard_behind_an_interrupted_hook_is_heard_of(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where a shutdown interrupts what comes before `on_discard`, the job is given back, too."""
    begun, heard = asyncio.Event(), list[str]()

    async def wait(ctx: Ctx) -> None:
        begun.set()
        await asyncio.Event().wait()

    job = await enqueue(arq_redis, "script")
    function = of(
        Script(ValueError("no"), ValueError("no")),
        max_attempts=1,
        on_discard=lambda _, error: heard.append("x"),
    )
    async with at_work(make_worker([function], on_job_end=wait)):
        await asyncio.wait_for(begun.wait(), 5)
    assert heard == []

    await make_worker([function]).main()

    assert heard == ["x"]
    assert await state_of(job) == "discarded"


async def test_slot_is_held_while_on_discard_runs(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """`on_discard` is awaited before the slot is free and the end is stored."""
    gate = Gate()
    first = await enqueue(arq_redis, "script")
    second = await enqueue(arq_redis, "script")
    script = Script(ValueError("no"), "fine")

    async def wait(job: Any, error: BaseException) -> None:
        await gate({})

    async with at_work(make_worker([of(script, max_attempts=1, on_discard=wait)], max_jobs=1)):
        await asyncio.wait_for(gate.started.wait(), 5)
        assert await first.status() is JobStatus.in_progress
        assert len(script.seen) == 1
        gate.open.set()
        assert await second.result(timeout=5) == "fine"


# -- keep times, aborts, log


@pytest.mark.parametrize(
    ("options", "kept_s"),
    [({}, WEEK_S), ({"keep_discarded": 60}, 60), ({"keep_result": 10**7}, 10**7)],
)
async def test_discarded_jobs_are_kept(
    arq_redis: ArqRedis, make_worker: Any, options: dict[str, Any], kept_s: int
) -> None:
    """The end of a task's job that was discarded is kept a week, or as long as the worker says."""
    job = await enqueue(arq_redis, "script")

    await make_worker([of(Script(Back(Discard("no"))))], **options).main()

    [until_ms] = await RedisEngine(arq_redis, "arq:queue").ends([job.job_id])
    assert abs(until_ms / 1000 - time.time() - kept_s) < 30


@pytest.mark.parametrize(("options", "kept_s"), [({}, WEEK_S), ({"keep_cancelled": 60}, 60)])
async def test_cancelled_jobs_are_kept(
    arq_redis: ArqRedis, make_worker: Any, options: dict[str, Any], kept_s: int
) -> None:
    """The same for one that was cancelled."""
    job = await enqueue(arq_redis, "script")

    await make_worker([of(Script(Back(Cancel("no"))))], **options).main()

    [until_ms] = await RedisEngine(arq_redis, "arq:queue").ends([job.job_id])
    assert abs(until_ms / 1000 - time.time() - kept_s) < 30


@pytest.mark.parametrize("allow", [True, False])
async def test_running_task_may_always_be_cancelled(
    arq_redis: ArqRedis, make_worker: Any, allow: bool
) -> None:
    """A task's running job is cancelled on demand, with one error; it needs no `allow_abort_jobs`."""
    gate = Gate()
    job = await enqueue(arq_redis, "script")

    worker = make_worker([of(gate)], allow_abort_jobs=allow)
    async with at_work(worker):
        await asyncio.wait_for(gate.started.wait(), 5)
        assert await job.abort(timeout=5) is True

    assert gate.ended == ["cancelled"]
    assert worker.tasks == {}
    assert await state_of(job) == "cancelled"
    assert [error.type for error in await job.errors()] == ["CancelledError"]


async def test_bare_function_is_cancelled_only_where_that_is_allowed(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Beside a task, a bare function still needs `allow_abort_jobs`, as in arq."""
    gate = Gate()
    job = await enqueue(arq_redis, "bare")
    async with at_work(make_worker([func(gate, name="bare"), of(Script())])):
        await asyncio.wait_for(gate.started.wait(), 5)
        with contextlib.suppress(TimeoutError):
            await job.abort(timeout=0.05)
        await eventually(lambda: any("is not aborted" in line for line in lines(caplog)))
        gate.open.set()
        assert await job.result(timeout=5) == "through"


async def test_aborted_between_attempts(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A job that waits for its next attempt can be cancelled and keeps the errors that it has."""
    job = await enqueue(arq_redis, "script")
    async with at_work(make_worker([of(Script(ValueError("no")), backoff=3600)])):
        await eventually(job.errors)

    assert await job.abort() is True

    assert [error.message for error in await job.errors()] == ["no"]


async def test_worker_names_its_rules(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker with tasks says by which rules its functions run; one without says nothing new."""
    caplog.set_level(logging.INFO)
    await make_worker([func(Script(), name="bare"), of(Script(), max_attempts=3)]).main()
    assert (
        "1 function by arq's rules (only Retry is): bare; "
        "1 task by Oban's rules (what fails is tried again): script (3 attempts)"
    ) in lines(caplog)

    caplog.clear()
    await make_worker([func(Script(), name="bare")]).main()
    assert not any("rules" in line for line in lines(caplog))


async def test_shutdown_costs_a_task_nothing(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A task's job that a shutdown interrupts goes back, with its attempt and without an error."""
    gate = Gate()
    job = await enqueue(arq_redis, "script")
    async with at_work(make_worker([of(gate)])):
        await asyncio.wait_for(gate.started.wait(), 5)

    assert (await job._peek()).home == "ready"
    assert await memory_of(arq_redis, job) == Memory()
    assert await job.errors() == []


async def test_id_that_is_used_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job under an id used before has its own errors only."""
    first = await enqueue(arq_redis, "script", _job_id="s")
    await make_worker([of(Script(ValueError("first")), max_attempts=1)]).main()
    assert len(await first.errors()) == 1
    assert await first.delete()
    assert await first.errors() == []

    second = await enqueue(arq_redis, "script", _job_id="s")
    script = Script(ValueError("second"), "done")
    assert await make_worker([of(script)]).run_check() == 1

    assert script.errors == [[], ["second"]]
    assert [error.message for error in await second.errors()] == ["second"]


async def test_states_of_the_ends(arq_redis: ArqRedis, make_worker: Any, told: list[Any]) -> None:
    """Each run's event tells its state, its times, and its result or its error."""
    acts = ["fine", Back(Snooze(0)), ValueError("no"), Back(Cancel("c")), Back(Discard("d"))]
    for _ in range(4):
        await enqueue(arq_redis, "script")
    await make_worker([of(Script(acts[0], *acts[1:], "x", "y"), max_attempts=1)], max_jobs=1).main()

    stops = [event for event in told if isinstance(event, JobStopped)]
    assert [event.state for event in stops][:5] == [
        "completed", "snoozed", "discarded", "cancelled", "discarded",
    ]  # fmt: skip
    assert (stops[0].result, stops[0].error) == ("fine", None)
    assert str(stops[2].error) == "no"
    assert all(event.duration_ms >= 0 and event.at_ms > 0 for event in stops)
    assert {event.state for event in stops} <= {*map(str, JobState), "snoozed"}


async def test_abort_before_the_start_leaves_no_error(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is cancelled when it was claimed ahead, and has not run, has failed with nothing."""
    monkeypatch.setattr(producer_module, "_STALLED_AFTER_S", 3600)
    gate = Gate()
    worker = make_worker([of(gate), func(Script(*[None] * 9), name="short")], max_jobs=1)
    async with at_work(worker):
        for _ in range(9):
            await (await enqueue(arq_redis, "short")).result(timeout=5)
        first = await enqueue(arq_redis, "script")
        await asyncio.wait_for(gate.started.wait(), 5)
        second = await enqueue(arq_redis, "script")
        await eventually(lambda: worker._crew.producer._buffer)

        assert await second.abort(timeout=5) is True

        gate.open.set()
        await first.result(timeout=5)
    assert await second.errors() == []
    assert len(gate.calls) == 1


@pytest.mark.parametrize(
    ("most", "home", "hears"), [(2, "scheduled", []), (1, "finished", ["timed out after 0.02s"])]
)
async def test_task_that_ignores_its_timeout_and_the_shutdown(
    arq_redis: ArqRedis,
    make_worker: Any,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    home: str,
    hears: list[str],
) -> None:
    """A task out of time that goes on while its process ends has had an attempt, and begins no other yet."""
    monkeypatch.setattr("arqlite.crew._CANCEL_PATIENCE_S", 0.05)
    started, release, heard = asyncio.Event(), asyncio.Event(), list[str]()

    async def deaf(ctx: Ctx) -> None:
        started.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    job = await enqueue(arq_redis, "script")
    made = of(deaf, max_attempts=most, timeout=0.02, on_discard=lambda _, error: heard.append(str(error)))
    worker = make_worker([made])
    async with at_work(worker):
        await started.wait()
        run = next(iter(worker._crew.producer.active))
        while run.cancel_reason != "timeout":  # noqa: ASYNC110 (a run has no event for it)
            await asyncio.sleep(0.001)

    await worker._crew.settle()

    peek = await job._peek()
    assert (peek.home, heard) == (home, hears)
    assert [error.message for error in await job.errors()] == ["timed out after 0.02s"]
    assert home == "finished" or peek.ms - time.time() * 1000 > 5000
    release.set()
    await worker._crew.producer.drained()
    await worker._crew._end()


async def test_doubts_are_told_at_the_start(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that has a task of another queue, or tells jobs apart by what none has, says so and works."""

    async def charge(ctx: Ctx, tenant: str) -> None: ...

    away = task(name="charge", queue="mail")(charge)
    limit = GlobalLimit(1, partition_by="args.tennant")
    await make_worker([away], global_limit=limit).main()

    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any(line.endswith("charge (mail)") for line in warned)
    assert any("no function of this worker has an argument tennant" in line for line in warned)
