"""Functions with `cpu=True`: each job in a process, which can be killed, and whose death harms no other."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from signal import Signals
from typing import Any

import cpu_jobs
import pytest
from worker_toys import Ctx, at_work, counts, end_of, enqueue, lines

from arqlite import ArqRedis, Job, func
from arqlite.engine import RedisEngine
from arqlite.errors import ConfigurationError, JobExecutionFailed, SerializationError
from arqlite.jobs import JobStatus
from arqlite.runtime.processes import RemoteTraceback, processors

HERE = Path(__file__).parent


def cpu(function: Any, **options: Any) -> Any:
    return func(function, cpu=True, **options)


async def pids_in(file: Path, eventually: Any) -> list[int]:
    await eventually(file.exists, within=20)
    return _numbers(file)


def _numbers(file: Path) -> list[int]:
    return [int(number) for number in file.read_text().split()]


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; in a container nobody may have asked for its end yet."""
    said = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return not said or said.startswith("Z")


async def test_result_and_facts(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A function runs in another process, and is told the job's own facts there, and nothing else."""
    job = await enqueue(arq_redis, "facts", _job_id="f")
    await make_worker([cpu(cpu_jobs.facts)], ctx={"own": threading.Lock()}).run_check()

    told = await job.result()
    assert told.pop("pid") != os.getpid()
    ctx = told.pop("ctx")
    assert sorted(ctx) == ["enqueue_time", "job", "job_id", "job_try", "score"]
    assert (ctx["job"]["job_id"], ctx["job"]["attempt"]) == ("f", 1)
    assert (ctx["job_id"], ctx["job_try"]) == ("f", 1)
    assert told == {"id": "f", "try": 1, "function": "facts"}


async def test_process_is_used_again(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Jobs that come one after the other share a process, also after a failure or a forgotten thread."""
    names = ["pid", "fail", "pid", "leave_thread", "pid"]
    jobs = [await enqueue(arq_redis, name) for name in names]
    functions = [cpu(cpu_jobs.pid), cpu(cpu_jobs.fail), cpu(cpu_jobs.leave_thread)]
    await make_worker(functions, cpu_processes=1, max_jobs=1).main()

    pids = {(await end_of(job)).result for job, name in zip(jobs, names, strict=True) if name == "pid"}
    assert len(pids) == 1


async def test_processes_work_at_once(arq_redis: ArqRedis, make_worker: Any, tmp_path: Path) -> None:
    """As many jobs run at once as there are processes; further ones wait for one."""
    jobs = [await enqueue(arq_redis, "meet", str(tmp_path), 3) for _ in range(5)]
    await make_worker([cpu(cpu_jobs.meet)], cpu_processes=3).run_check()

    assert [await job.result() for job in jobs] == [3] * 5


async def test_time_begins_with_the_job(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any
) -> None:
    """A job that waits for a process is not timed out for that; nor does the start of one count."""
    started, go = tmp_path / "started", tmp_path / "go"
    first = await enqueue(arq_redis, "until", str(started), str(go))
    worker = make_worker([cpu(cpu_jobs.until, timeout=60), cpu(cpu_jobs.add, timeout=0.1)], cpu_processes=1)
    async with at_work(worker):
        await eventually(started.exists, within=20)
        second = await enqueue(arq_redis, "add", 1)
        engine = RedisEngine(arq_redis, "arq:queue")
        await eventually(lambda: is_held(engine))
        go.touch()
        assert await second.result(timeout=20) == 1

    assert await first.result() == "through"


async def is_held(engine: RedisEngine) -> bool:
    return (await engine.size()).held == 1


async def test_exception_comes_back_as_itself(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What a function raises is its job's failure; the log shows where in the process it was raised."""
    job = await enqueue(arq_redis, "fail")
    await make_worker([cpu(cpu_jobs.fail)]).main()

    assert repr((await end_of(job)).result) == "ValueError('not today')"
    [told] = [record for record in caplog.records if "failed, ValueError" in record.getMessage()]
    assert told.exc_info is not None
    assert told.exc_info[1] is not None
    cause = told.exc_info[1].__cause__
    assert isinstance(cause, RemoteTraceback)
    assert 'raise ValueError("not today")' in str(cause)


async def test_retry(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`Retry` does from a process what it does from a coroutine."""
    job = await enqueue(arq_redis, "retry")
    worker = make_worker([cpu(cpu_jobs.retry)])
    await worker.main()

    assert await job.result() == 2
    assert counts(worker) == (1, 0, 1)


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("two parts", JobExecutionFailed, "TwoParts: 1 and 2"),
        ("exit", JobExecutionFailed, "SystemExit: 3"),
        ("stop", RuntimeError, "coroutine raised StopIteration"),
        ("result", SerializationError, "its result, of type function, cannot be pickled: "),
        ("way out", SerializationError, "its result, of type NoWayOut, cannot be pickled: it stays here"),
        ("way in", SerializationError, "what came back from its process cannot be read: EOFError"),
    ],
)
async def test_what_cannot_cross_is_told(
    arq_redis: ArqRedis, make_worker: Any, how: str, kind: type[Exception], text: str
) -> None:
    """Odd exceptions and results fail their job in words, and the process goes on."""
    job = await enqueue(arq_redis, "fail_oddly", how)
    after = await enqueue(arq_redis, "add", 1, b=2)
    await make_worker([cpu(cpu_jobs.fail_oddly), cpu(cpu_jobs.add)], cpu_processes=1).main()

    result = (await end_of(job)).result
    assert type(result) is kind
    assert str(result).startswith(text)
    assert await after.result() == 3


async def test_arguments_that_cannot_cross(make_worker: Any, arq_redis: ArqRedis) -> None:
    """Arguments that a deserializer of one's own made, and that cannot be pickled, fail the job in words."""
    import json

    def read(data: bytes) -> dict[str, Any]:
        job: dict[str, Any] = json.loads(data)
        if "a" in job:
            job["a"] = [threading.Lock()]
        return job

    arq_redis.job_serializer = lambda job: json.dumps(job, default=str).encode()
    arq_redis.job_deserializer = read
    job = await enqueue(arq_redis, "add", 1)
    worker = make_worker([cpu(cpu_jobs.add)])
    await worker.main()

    assert counts(worker) == (0, 1, 0)
    assert "its arguments cannot be pickled for a process" in repr((await end_of(job)).result)


@pytest.mark.parametrize("how", ["python", "c"])
async def test_timeout_kills(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any, how: str
) -> None:
    """A job over its time is killed with its process, however deep in C; the next job has another one."""
    file = tmp_path / "pid"
    job = await enqueue(arq_redis, "hang", str(file), how)
    after = await enqueue(arq_redis, "pid")
    await make_worker([cpu(cpu_jobs.hang, timeout=0.2), cpu(cpu_jobs.pid)], max_jobs=1).main()

    [pid] = await pids_in(file, eventually)
    assert isinstance((await end_of(job)).result, TimeoutError)
    assert is_gone(pid)
    assert await after.result() != pid


async def test_abort_kills_what_the_job_started(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any
) -> None:
    """`Job.abort` ends the process and the programs that it runs, before the slot is free."""
    file = tmp_path / "pid"
    job = await enqueue(arq_redis, "hang", str(file), "child")
    async with at_work(make_worker([cpu(cpu_jobs.hang)], allow_abort_jobs=True)):
        pids = await pids_in(file, eventually)
        assert await job.abort(timeout=10)
        assert is_gone(pids[0])
        await eventually(lambda: is_gone(pids[1]))

    assert len(pids) == 2
    assert isinstance((await end_of(job)).result, asyncio.CancelledError)


async def test_abort_of_a_job_that_waits_for_a_process(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any
) -> None:
    """A job that has no process yet is aborted at once, and never runs."""
    started, go = tmp_path / "started", tmp_path / "go"
    await enqueue(arq_redis, "until", str(started), str(go))
    worker = make_worker([cpu(cpu_jobs.until), cpu(cpu_jobs.hang)], cpu_processes=1, allow_abort_jobs=True)
    async with at_work(worker):
        await eventually(started.exists, within=20)
        waiting = await enqueue(arq_redis, "hang", str(tmp_path / "never"))
        engine = RedisEngine(arq_redis, "arq:queue")
        await eventually(lambda: is_held(engine))
        assert await waiting.abort(timeout=5)
        go.touch()
        await eventually(lambda: worker.jobs_complete == 1)

    assert not (tmp_path / "never").exists()


async def test_shutdown_gives_it_back(
    arq_redis: ArqRedis, make_worker: Any, tmp_path: Path, eventually: Any
) -> None:
    """A shutdown kills the process and gives the job back without a lost try; no process is left."""
    file = tmp_path / "pid"
    job = await enqueue(arq_redis, "hang", str(file))
    worker = make_worker([cpu(cpu_jobs.hang, max_tries=1)])
    async with at_work(worker):
        [pid] = await pids_in(file, eventually)

    assert is_gone(pid)
    assert counts(worker) == (0, 0, 1)
    assert await job.status() is JobStatus.queued
    assert not worker.has_stubborn_jobs
    assert multiprocessing.active_children() == []
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("arqlite")] == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exit", "process died: exit code 7"),
        ("SIGSEGV", "process died: killed by SIGSEGV"),
        ("SIGKILL", "process died: killed by SIGKILL, perhaps for want of memory"),
    ],
)
async def test_death_of_a_process(arq_redis: ArqRedis, make_worker: Any, how: str, words: str) -> None:
    """A process that dies fails the job that ran in it, and no other; the next job has another process."""
    dying = await enqueue(arq_redis, "die", how)
    others = [await enqueue(arq_redis, "add", i) for i in range(6)]
    worker = make_worker([cpu(cpu_jobs.die), cpu(cpu_jobs.add)], cpu_processes=2)
    await worker.main()

    assert (await end_of(dying)).result == JobExecutionFailed(words)
    assert [await job.result() for job in others] == list(range(6))
    assert counts(worker) == (6, 1, 0)


async def test_idle_process_that_was_killed_is_replaced(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """A process that somebody kills while it is idle costs no job anything."""
    worker = make_worker([cpu(cpu_jobs.pid)], cpu_processes=1)
    async with at_work(worker):
        first = await (await enqueue(arq_redis, "pid")).result(timeout=20)
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: is_gone(first))
        second = await (await enqueue(arq_redis, "pid")).result(timeout=20)

    assert second != first
    assert worker.jobs_failed == 0


@pytest.mark.parametrize("kind", [BlockingIOError, RuntimeError, AssertionError])
async def test_process_that_cannot_start_costs_no_try(
    kind: type[Exception],
    arq_redis: ArqRedis,
    make_worker: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    eventually: Any,
) -> None:
    """Jobs wait, and keep their tries, while no process can be had: it is not their fault."""
    from arqlite.runtime import processes

    def broken(*_: Any) -> None:
        raise kind("no more processes")

    monkeypatch.setattr(processes, "_NEXT_START_AFTER_S", 0.01)
    job = await enqueue(arq_redis, "add", 3)
    worker = make_worker([cpu(cpu_jobs.add, max_tries=1)])
    with monkeypatch.context() as patch:
        patch.setattr(processes, "JobProcess", broken)
        async with at_work(worker):
            await eventually(lambda: worker.jobs_retried >= 3)
    assert await make_worker([cpu(cpu_jobs.add, max_tries=1)]).run_check() == 1

    assert await job.result() == 3
    assert any("no process could be started: no more processes" in line for line in lines(caplog))


async def test_signals_to_everybody_reach_the_worker_only(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A process has a group of its own, and what a supervisor sends to all of them does not end its job."""
    job = await enqueue(arq_redis, "signals")
    await make_worker([cpu(cpu_jobs.signals)]).run_check()

    assert await job.result() is True


async def test_log_of_a_process(
    arq_redis: ArqRedis, make_worker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What a function logs goes through the worker's own handlers, at the worker's levels."""
    caplog.set_level(logging.INFO)
    await enqueue(arq_redis, "log")
    await make_worker([cpu(cpu_jobs.log)]).run_check()

    assert lines(caplog, "cpu_jobs") == ["at work on it"]


async def test_no_way_into_the_loop(arq_redis: ArqRedis, make_worker: Any) -> None:
    """`run_in_loop` in a process says that there is no event loop to be had."""
    job = await enqueue(arq_redis, "reenter")
    await make_worker([cpu(cpu_jobs.reenter)]).run_check()

    assert "cannot leave this process" in await job.result()


async def test_objects_and_declared_functions(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Objects that can be pickled run, too, and a function that was replaced by its own declaration."""
    jobs = [await enqueue(arq_redis, name, 3) for name in ("adder", "method", "declared")]
    adder = cpu_jobs.Adder(10)
    functions = [cpu(adder, name="adder"), cpu(adder.method, name="method"), cpu_jobs.declared]
    await make_worker(functions).run_check()

    assert [await job.result() for job in jobs] == [13, 30, 3]


async def coroutine_function(ctx: Ctx) -> None: ...


def replaced_by_coroutine() -> Any:
    made = cpu(cpu_jobs.add)
    made.coroutine = coroutine_function
    return made


def made_inside() -> Any:
    def inner(ctx: Ctx) -> None: ...

    return cpu(inner, name="inner")


def hidden(ctx: Ctx) -> None: ...


hidden_function = hidden
globals()["hidden"] = cpu_jobs.add


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: cpu(lambda ctx: 1, name="small"), "a lambda has no name"),
        (made_inside, "made_inside.<locals>.inner is made inside of another function"),
        (lambda: cpu(hidden_function, name="h"), "test_worker_cpu.hidden is something else"),
        (lambda: cpu(threading.Lock().acquire, name="lock"), "it cannot be pickled"),
        (replaced_by_coroutine, "is for plain functions, and it is a coroutine function"),
    ],
)
async def test_functions_that_no_process_could_find(make_worker: Any, make: Any, words: str) -> None:
    """What another process cannot import is refused when the worker starts, in words."""
    with pytest.raises(ConfigurationError, match=words):
        await make_worker([make()]).main()


def test_processors_are_those_this_process_may_use() -> None:
    """The default size is what the system lets this process use, not what the machine has."""
    code = "from arqlite.runtime.processes import processors; print(processors())"
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this platform")
    one = {min(os.sched_getaffinity(0))}

    said = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {one}); {code}"],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    assert said.stdout.strip() == "1"
    assert processors() >= 1


PROGRAM = """
import sys
import cpu_jobs
from arqlite import RedisSettings, Worker, func

def in_main(ctx):
    return "in main"

functions = [func(cpu_jobs.hang, cpu=True), func(in_main, cpu=True)]
{guard}Worker(functions, redis_settings=RedisSettings.from_dsn(sys.argv[1]), burst={burst}).run()
"""


def program(
    folder: Path, url: str, *, guard: str = 'if __name__ == "__main__": ', burst: bool = False
) -> Any:
    file = folder / "program.py"
    file.write_text(PROGRAM.format(guard=guard, burst=burst))
    return subprocess.Popen(
        [sys.executable, str(file), url],
        env={**os.environ, "PYTHONPATH": str(HERE)}, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture
async def real_pool(real_url: str) -> Any:
    from arqlite.connections import RedisSettings, create_pool

    pool = await create_pool(RedisSettings.from_dsn(real_url))
    yield pool
    await pool.aclose(close_connection_pool=True)


@pytest.mark.real
@pytest.mark.parametrize("how", ["python", "c", "child"])
async def test_no_orphans(
    real_url: str, real_pool: ArqRedis, tmp_path: Path, eventually: Any, how: str
) -> None:
    """A worker that is killed takes its processes along, also one deep in C, and what a job started."""
    file = tmp_path / "pid"
    await enqueue(real_pool, "hang", str(file), how)
    worker = program(tmp_path, real_url)
    try:
        pids = await pids_in(file, eventually)
    finally:
        worker.kill()
        await asyncio.to_thread(worker.communicate, None, 20)

    await eventually(lambda: all(map(is_gone, pids)), within=15)


@pytest.mark.real
async def test_function_of_the_main_program(real_url: str, real_pool: ArqRedis, tmp_path: Path) -> None:
    """A function of the program that was started runs in processes, too."""
    job = await enqueue(real_pool, "in_main")
    worker = program(tmp_path, real_url, burst=True)
    _, log = await asyncio.to_thread(worker.communicate, None, 60)

    assert worker.returncode == 0, log
    assert await job.result() == "in main"


@pytest.mark.real
async def test_program_without_a_guard_is_told(
    real_url: str, real_pool: ArqRedis, tmp_path: Path, eventually: Any
) -> None:
    """A program that would start a worker in every process is told what to write; its job is not lost."""
    job = await enqueue(real_pool, "in_main")
    worker = program(tmp_path, real_url, guard="")
    lines_: list[str] = []
    reader = asyncio.create_task(asyncio.to_thread(lambda: lines_.extend(iter(worker.stderr.readline, ""))))
    try:
        await eventually(lambda: any('if __name__ == "__main__"' in line for line in lines_), within=30)
        await eventually(lambda: _is_deferred(job), within=30)
    finally:
        worker.send_signal(Signals.SIGTERM)
        await asyncio.to_thread(worker.wait, 20)
        await reader
        worker.stderr.close()

    assert any("it died when it started" in line for line in lines_)


async def _is_deferred(job: Job) -> bool:
    return await job.status() is JobStatus.deferred


async def test_daemonic_worker_is_told_that_it_can_start_no_process(
    make_worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python refuses children to daemonic processes: better told at the start than by each job."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)

    with pytest.raises(ConfigurationError, match="start the worker's process with daemon=False"):
        await make_worker([cpu(cpu_jobs.add)]).main()


async def test_process_that_another_thread_took_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle process that was there a moment ago may be gone: then a new one is started."""
    from arqlite.runtime import processes

    class Contested(list[Any]):
        def __len__(self) -> int:
            return 1

    pool = processes.JobProcesses([], 1, lambda run: None)
    new = object()
    monkeypatch.setattr(processes, "JobProcess", lambda references: new)
    monkeypatch.setattr(pool, "_idle", Contested())

    assert pool._take() is new


def test_process_that_does_not_die_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs in the kernel is waited for some seconds, and others are started and ended meanwhile."""
    from arqlite.runtime import process as module

    class Undead:
        pid = exitcode = None

        def is_alive(self) -> bool:
            return True

    class Closed:
        def close(self) -> None: ...

    was_locked = []
    monkeypatch.setattr(module, "_DEATH_PATIENCE_S", 0.01)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: was_locked.append(module._children.locked()))
    process = object.__new__(module.JobProcess)
    monkeypatch.setattr(process, "_process", Undead(), raising=False)
    monkeypatch.setattr(process, "_connection", Closed(), raising=False)
    monkeypatch.setattr(process, "kill", lambda: None)

    words = process.end()

    assert "killed, and still there" in words
    assert set(was_locked) == {False}
