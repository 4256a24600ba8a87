"""The probes of real workers: what they answer from their start to their end."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from probes_toys import ask, told
from worker_toys import Ctx, Gate, at_work, enqueue

from arqlite import ArqRedis, Service, Worker, func
from arqlite.errors import ConfigurationError
from arqlite.fleet import Fleet
from arqlite.probes.doorkeeper import _OPEN, Probed, probed
from arqlite.probes.signs import Signs


async def ok(ctx: Ctx) -> None: ...


async def asked(worker: Worker, path: str) -> tuple[int, dict[str, Any]]:
    assert worker.health_url is not None
    return await asyncio.to_thread(told, worker.health_url, path)


async def test_probes_of_a_worker_at_work(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A worker at work is live, ready and started, and tells what it does."""
    gate = Gate()
    await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], health_port=0, max_jobs=7)

    async with at_work(worker):
        await gate.started.wait()
        answers = {path: await asked(worker, path) for path in ("/livez", "/readyz", "/startupz")}
        gate.open.set()

    assert {path: status for path, (status, _) in answers.items()} == dict.fromkeys(answers, 200)
    body = answers["/readyz"][1]
    assert body["workers"] == [
        {"queue": "arq:queue", "state": "working", "running": 1, "max_jobs": 7, "ledger": "none",
         "redis_heard_s": body["workers"][0]["redis_heard_s"]}
    ]  # fmt: skip
    assert worker.health_url is None
    assert not _OPEN


async def test_file_of_a_worker(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, tmp_path: Path
) -> None:
    """A worker at work writes into a file what its probes say, and its end takes the file away."""
    file = tmp_path / "health"

    def written() -> dict[str, Any]:
        return dict(json.loads(file.read_text()))

    async with at_work(make_worker([ok], health_file=str(file), max_jobs=7)):
        await eventually(lambda: written()["readyz"]["status"] == 200)
        told = written()
        assert os.listdir(tmp_path) == ["health"]

    assert (told["pid"], told["livez"]["status"], told["startupz"]["status"]) == (os.getpid(), 200, 200)
    assert told["readyz"]["body"]["workers"][0]["max_jobs"] == 7
    assert not file.exists()
    assert not _OPEN


async def test_file_of_several_workers(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, tmp_path: Path
) -> None:
    """Workers of one process that name one file are told there together."""
    file = tmp_path / "health"
    workers = [
        make_worker([ok], queue_name=name, health_file=str(file), health_port=0) for name in ("a", "b")
    ]

    def queues() -> list[str]:
        return [one["queue"] for one in json.loads(file.read_text())["readyz"]["body"]["workers"]]

    async with at_work(workers[0]):
        async with at_work(workers[1]):
            await eventually(lambda: file.exists() and queues() == ["a", "b"])
        await eventually(lambda: queues() == ["a"])

    assert not file.exists()


async def test_file_that_cannot_be_written(arq_redis: ArqRedis, make_worker: Any, tmp_path: Path) -> None:
    """A file in no folder ends the worker in words, before it starts."""
    worker = make_worker([ok], health_file=str(tmp_path / "nowhere" / "health"))

    with pytest.raises(ConfigurationError, match=r"health_file .* cannot be written: No such file"):
        await worker.async_run()


async def test_worker_that_starts_is_live_and_not_ready(arq_redis: ArqRedis, make_worker: Any) -> None:
    """While `on_startup` runs the process is alive, and neither started nor ready."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def startup(ctx: Ctx) -> None:
        begun.set()
        await go_on.wait()

    worker = make_worker([ok], health_port=0, on_startup=startup)
    task = asyncio.create_task(worker.async_run())
    await begun.wait()
    answers = [await asked(worker, path) for path in ("/livez", "/readyz", "/startupz")]
    go_on.set()
    await task

    assert [status for status, _ in answers] == [200, 503, 503]
    assert answers[1][1]["reasons"] == ["the worker of arq:queue is starting up"]


async def test_worker_that_drains_is_live_and_not_ready(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any
) -> None:
    """From the signal on a worker is not ready; it stays alive and started until its jobs have ended."""
    gate = Gate()
    await enqueue(arq_redis, "gate")
    worker = make_worker([func(gate, name="gate")], health_port=0, job_completion_wait=60)

    async with at_work(worker):
        await gate.started.wait()
        worker.handle_sig(Signals.SIGTERM)
        answers = [await asked(worker, path) for path in ("/livez", "/readyz", "/startupz")]
        gate.open.set()

    assert [status for status, _ in answers] == [200, 503, 200]
    assert answers[1][1]["reasons"] == ["arq:queue is draining: the worker ends"]
    assert gate.ended == ["returned"]


async def test_paused_worker_is_ready(arq_redis: ArqRedis, make_worker: Any, eventually: Any) -> None:
    """A queue that somebody paused is no reason to take its workers for broken."""
    worker = make_worker([ok], health_port=0, paused=True)

    async with at_work(worker):
        await eventually(lambda: worker.signs().has_started)
        status, body = await asked(worker, "/readyz")

    assert (status, body["workers"][0]["state"]) == (200, "paused")


async def test_blocked_loop_is_told_with_its_stack(arq_redis: ArqRedis, make_worker: Any) -> None:
    """A job that blocks the event loop makes /livez answer 503, with the line that it stands at."""
    heard: list[Any] = []
    done = threading.Event()

    async def block(ctx: Ctx) -> None:
        done.wait(20)  # in the loop's own thread

    await enqueue(arq_redis, "block")
    worker = make_worker([func(block, name="block")], health_port=0, blocked_loop_limit=0.05)

    def watch() -> None:
        deadline = time.monotonic() + 15
        try:
            while time.monotonic() < deadline:
                url = worker.health_url
                answer = told(url, "/livez") if url else (0, {})
                if answer[0] == 503 and "done.wait(20)" in str(answer[1]["stacks"]):
                    heard.append((answer, told(str(url), "/readyz")))
                    return
                done.wait(0.01)
        finally:
            done.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    await worker.async_run()
    watcher.join()

    [((status, body), (ready, _))] = heard
    assert (status, ready) == (503, 503)
    assert body["reasons"][0].startswith("the event loop stands still since ")
    assert worker.jobs_complete == 1


async def test_redis_that_is_away_makes_nothing_dead(
    arq_redis: ArqRedis, make_worker: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Redis for longer than a lease a worker is not ready; it is live and started all the same."""
    worker = make_worker([ok], health_port=0, lease=0.3)

    async with at_work(worker):
        await eventually(lambda: worker.signs().has_turned)
        engine = worker._crew.engine  # type: ignore[union-attr]
        with monkeypatch.context() as patched:

            def away(*_: Any) -> Any:
                raise ConnectionError("away")

            patched.setattr(engine, "beat", away)

            async def is_unready() -> bool:
                return (await asked(worker, "/readyz"))[0] == 503

            await eventually(is_unready)
            statuses = [(await asked(worker, path))[0] for path in ("/livez", "/startupz")]

        async def is_ready() -> bool:
            return (await asked(worker, "/readyz"))[0] == 200

        await eventually(is_ready)

    assert statuses == [200, 200]


async def test_workers_of_one_process_share_a_port(arq_redis: ArqRedis, eventually: Any) -> None:
    """Two workers that name one port are told of by one server, which stays for the one that is left."""
    pool = arq_redis.connection_pool
    one, two = (
        Worker([ok], redis_pool=ArqRedis(pool), queue_name=name, health_port=0, handle_signals=False)
        for name in ("mail", "pictures")
    )
    fleet = Fleet([one, two])
    task = asyncio.create_task(fleet.async_run())
    await eventually(lambda: one.signs().has_started and two.signs().has_started)

    assert one.health_url == two.health_url
    _, both = await asked(one, "/readyz")
    two.handle_sig(Signals.SIGTERM)
    await two.main_task  # type: ignore[misc]
    status, left = await asked(one, "/readyz")
    one.handle_sig(Signals.SIGTERM)
    await task

    assert [worker["queue"] for worker in both["workers"]] == ["mail", "pictures"]
    assert (status, [worker["queue"] for worker in left["workers"]]) == (200, ["mail"])
    assert not _OPEN


async def test_metrics_of_a_service(arq_redis: ArqRedis, make_worker: Any) -> None:
    """What a service exposes is told at /metrics, as Prometheus reads it."""

    class Metrics(Service):
        def expose(self) -> bytes:
            return b"arqlite_leader 1\n"

    worker = make_worker([ok], health_port=0, services=[Metrics()])
    async with at_work(worker):
        status, headers, body = await asyncio.to_thread(ask, worker.health_url, "/metrics")

    assert (status, body) == (200, b"arqlite_leader 1\n")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


async def test_without_metrics_the_way_there_is_told(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where no service tells metrics, and where nothing is at all, a 404 says what there is."""
    worker = make_worker([ok], health_port=0)
    async with at_work(worker):
        metrics = await asyncio.to_thread(ask, worker.health_url, "/metrics")
        nowhere = await asyncio.to_thread(ask, worker.health_url, "/healthz")

    assert (metrics[0], nowhere[0]) == (404, 404)
    assert b"WorkerSettings.services" in metrics[2]
    assert b"/livez" in nowhere[2]


@pytest.mark.parametrize("port", [-1, 65_536, "8081", 1.5, True])
def test_port_that_is_none_is_refused(port: Any) -> None:
    """A port is a whole number up to 65535; what is none is told by the option's name."""
    with pytest.raises(ConfigurationError, match=r"^health_port must be "):
        Worker([ok], health_port=port)


async def test_metrics_of_workers_that_share_a_port_are_added_up() -> None:
    """Two services of a kind that adds up tell one page: of alike samples none is left out."""

    class Counting:
        def __init__(self, count: int) -> None:
            self.count = count

        @staticmethod
        def expose_all(services: Sequence[Counting]) -> bytes:
            return f"jobs_total {sum(service.count for service in services)}\n".encode()

        def expose(self) -> bytes:
            raise AssertionError("not one by one")

    one, other = (Probed(partial(Signs, "mail"), 5.0, [Counting(count)]) for count in (2, 3))
    with probed("127.0.0.1", 0, one) as url, probed("127.0.0.1", 0, other):
        status, _, body = await asyncio.to_thread(ask, url, "/metrics")

    assert (status, body) == (200, b"jobs_total 5\n")
