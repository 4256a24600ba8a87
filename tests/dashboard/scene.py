"""A scene for the dashboard that is no play: a real Valkey, a real ledger, real workers and their jobs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import Signals
from typing import Any

from scene_jobs import ARCHIVE_FUNCTIONS, LONG_AGO_S, MAIL_FUNCTIONS

from arqlite import ArqRedis, Inspector, Unique, Worker, Workflow, call, create_pool, cron
from arqlite.connections import RedisSettings
from arqlite.console import Console, JobLine, Query
from arqlite.embedded import EmbeddedServer
from arqlite.engine.redis import RedisEngine
from arqlite.ledger import Ledger
from arqlite.model.crons import CronView

MAIL_DB, ARCHIVE_DB, FAR_DB = 4, 5, 6
WORDY = "wordy-" + "0123456789abcdef" * 8
MANY = 60
"""More jobs than are retried, cancelled or deleted without typing how many."""


class Gates:
    """What jobs wait at until a test opens it."""

    def __init__(self) -> None:
        self._open: dict[str, asyncio.Event] = {}
        self.waiting: set[str] = set()

    async def wait(self, job_id: str) -> None:
        self.waiting.add(job_id)
        await self._open.setdefault(job_id, asyncio.Event()).wait()

    def open(self, job_id: str) -> None:
        self._open.setdefault(job_id, asyncio.Event()).set()


class Scene:
    """Queues, workers and jobs in a thread with a loop of its own, for tests that drive a browser.

    `mail` and `archive` have a worker each and one ledger. A second `archive` in another database has neither
    a worker nor a ledger.
    """

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self.server = server
        self.ledger_url = f"sqlite+aiosqlite:///{folder / 'jobs.db'}"
        self.gates = Gates()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="scene", daemon=True)
        self._at_work: dict[Worker, asyncio.Task[None]] = {}

    # -- for tests, from their own thread

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have something done in the scene's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def until(self, holds: Callable[[], Awaitable[Any]], within: float = 15.0) -> Any:
        """Wait in the scene's loop until something holds."""
        return self.run(_until(holds, within))

    @property
    def settings(self) -> list[dict[str, Any]]:
        """What a dashboard of the scene is made of: nothing in it belongs to the scene's loop."""
        return [
            self._settings(MAIL_DB, "mail", MAIL_FUNCTIONS) | {"ledger": self.ledger_url},
            self._settings(ARCHIVE_DB, "archive", ARCHIVE_FUNCTIONS) | {"ledger": self.ledger_url},
            self._settings(FAR_DB, "archive", ARCHIVE_FUNCTIONS),
        ]

    def state(self, job_id: str, queue: str = "mail") -> str:
        """The state of a job, as its queue has it; empty for none."""
        view = self.run(self.inspector(queue).job(job_id))
        return view.state.value if view else ""

    def inspector(self, queue: str = "mail") -> Inspector:
        return Inspector(self.pools[queue], by="ada")

    def enqueue(self, function: str, *args: Any, queue: str = "mail", **options: Any) -> str:
        """Enqueue a job and tell its id."""

        async def put() -> str:
            return str((await self.pools[queue].options(**options).enqueue(function, *args)).job_id)

        return self.run(put())

    def lines(self, query: str) -> list[JobLine]:
        """The jobs that a query means, as the console has them."""
        return list(self.run(self.console.jobs(Query.parse(query), limit=200)).jobs)

    async def is_in(self, job_id: str, state: str, queue: str = "mail") -> bool:
        """Whether a job is in a state; for `until`."""
        view = await self.inspector(queue).job(job_id)
        return view is not None and view.state.value == state

    async def is_told(self, job_id: str, state: str) -> bool:
        """Whether the console tells of a job that it is in a state, also where only its row is left."""
        detail = await self.console.job(job_id)
        return detail is not None and detail.line.state.value == state

    def cron(self, name: str) -> CronView:
        """A cron job of `mail`."""
        return next(one for one in self.run(self.inspector().crons()) if one.name == name)

    def node(self, queue: str, node: str) -> Any:
        """The worker of a node; None if there is none."""
        info = self.run(self.inspector(queue).check_queue(queue))
        return next((one for one in info.sessions if one.node == node), None)

    @property
    def keys(self) -> list[str]:
        """The keys of the queues, as the dashboard has them."""
        return [place.key for place in self.console.places]

    async def ended(self, worker: Worker) -> None:
        """Wait until a worker that was told to end has done so."""
        await asyncio.wait_for(asyncio.shield(self._at_work[worker]), 15)

    # -- its life

    def start(self) -> None:
        self._thread.start()
        self.run(self._start())

    def end(self) -> None:
        self.run(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(20)
        self.loop.close()

    async def work(self, queue: str, node: str, **options: Any) -> Worker:
        """Start a worker, and wait until its queue knows it."""
        db, functions = (MAIL_DB, MAIL_FUNCTIONS) if queue == "mail" else (ARCHIVE_DB, ARCHIVE_FUNCTIONS)
        settings = self._settings(db, queue, functions)
        settings |= {
            "ledger": self.ledger_url,
            "node": node,
            "ctx": {"gates": self.gates},
            "on_startup": self._lend,
        }
        settings |= {"handle_signals": False, "lease": 3.0, "capture_logs": "INFO"}
        worker = Worker(**settings | options)
        self._at_work[worker] = asyncio.create_task(worker.async_run())

        async def is_known() -> bool:
            info = await Inspector(self.pools[queue]).check_queue(queue)
            return info is not None and node in {session.node for session in info.sessions}

        await _until(is_known, 15)
        return worker

    async def dismiss(self, worker: Worker) -> None:
        """Have a worker end as by a signal, and wait for it."""
        if not self._at_work[worker].done():
            worker.handle_sig(Signals.SIGTERM)
        await asyncio.wait_for(self._at_work.pop(worker), 15)
        await worker.close()

    async def _lend(self, ctx: dict[str, Any]) -> None:
        ctx["pool"] = self.pools["mail"]

    def _settings(self, db: int, queue: str, functions: Any) -> dict[str, Any]:
        redis_settings = RedisSettings.from_dsn(self.server.url(db))
        return {"functions": functions, "queue_name": queue, "redis_settings": redis_settings}

    async def _start(self) -> None:
        self.ledger = Ledger(self.ledger_url)
        await self.ledger.upgrade()
        self.pools: dict[str, ArqRedis] = {}
        for key, queue, db in (
            ("mail", "mail", MAIL_DB),
            ("archive", "archive", ARCHIVE_DB),
            ("far", "archive", FAR_DB),
        ):
            self.pools[key] = await create_pool(
                RedisSettings.from_dsn(self.server.url(db)),
                default_queue_name=queue,
                ledger=None if key == "far" else self.ledger,
            )
        await self.pools["mail"].flushall()
        self.console = Console(self.settings)
        await _fill(self)

    async def _end(self) -> None:
        for worker in list(self._at_work):
            await self.dismiss(worker)
        await self.console.aclose()
        for pool in self.pools.values():
            await pool.aclose(close_connection_pool=True)
        await self.ledger.aclose()


@contextmanager
def scene(server: EmbeddedServer, folder: Path) -> Iterator[Scene]:
    """A scene that is ended, whatever comes."""
    made = Scene(server, folder)
    made.start()
    try:
        yield made
    finally:
        made.end()


async def _fill(scene: Scene) -> None:
    """Have a job of every state, ended for every cause, and of everything that a page shows."""
    mail, archive, far = scene.pools["mail"], scene.pools["archive"], scene.pools["far"]
    # What no worker may start any more has to be there before there is one.
    await mail.options(job_id="expired", expires=0.001).enqueue("notify", "too late")
    await mail.options(job_id="lost").enqueue("notify", "poison")
    await mail.hset(RedisEngine(mail, "mail").keys.tries, "lost", "0:3:0:0:0:0:0")
    await scene.work("mail", "web-1", cron_jobs=_crons(), max_jobs=6)
    await _end_with_a_worker(scene)
    await scene.work("archive", "batch-1", rate_limit=(100, 60), global_limit=8)

    running = mail.options(job_id="running", priority=2, tags=["nightly", "import"], triggered_by="ada")
    await running.enqueue("import_rows", "/srv/data/customers-2026.csv")
    await mail.enqueue_workflow(_flow())
    for number in range(12):
        await mail.options(priority=number % 4, tags=["vip", "eu"][: number % 3], meta=_META).enqueue(
            "send_mail", f"ada{number}@example.com", subject="Grüße aus 東京 👋 مرحبا", attachments=[None]
        )
    big = mail.options(job_id="big", meta={"tenant": "größe", "deep": {"list": [list(range(40))] * 3}})
    await big.enqueue("add_up", list(range(900)))
    wordy = mail.options(job_id=WORDY, tags=["a-tag-that-is-as-long-as-a-sentence"])
    await wordy.enqueue("send_mail", "x" * 400, password="hunter2", body="Lorem ipsum dolor sit amet. " * 20)
    for number in range(3):
        card = {"holder": "Zoë"} if number else {}
        await mail.options(job_id=f"error-{number}").enqueue("charge_card", card, f"{12 + number}.50")
    one_by_one = {
        "order": [1], "resize_image": ["héros.png"], "sync_account": [4711], "render_report": [2026],
        "train": ["gpt-0"], "translate": ["Ahoj"], "reindex": ["people"], "count_pages": ["many"],
        "broken_cron": [], "no_such_function": [1], "reconcile_the_ledger_of_every_old_customer": [],
    }  # fmt: skip
    for function, args in one_by_one.items():
        await mail.options(job_id=function).enqueue(function, *args)
    rule = Unique(period=Unique.forever, keys=["account"], states="incomplete")
    await mail.options(job_id="unique", unique=rule, delay=LONG_AGO_S).enqueue("sync_account", account=7)
    await mail.options(job_id="later", delay=3_600, priority=5).enqueue("send_mail", "bob@example.com")
    aborted = await mail.options(job_id="aborted", delay=3_600).enqueue("send_mail", "eve@example.com")
    await aborted.abort(timeout=5)
    await mail.options(tags=["reminders"], delay=LONG_AGO_S).enqueue_many(
        [call("notify", number).options(job_id=f"reminder-{number:02}") for number in range(MANY)]
    )
    await _steer(scene)
    for number in range(3):
        await archive.options(job_id=f"ready-{number}", priority=number).enqueue("notify", number)
    await far.options(job_id="far-ready", tags=["far"]).enqueue("send_mail", "carol@example.com")
    await far.options(job_id="far-later", delay=7_200).enqueue("notify", "far")
    await _until(lambda: _is_settled(scene), 30)


_META = {"tenant": "eu-1", "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def _crons() -> list[Any]:
    return [
        cron("scene_jobs.clean_up", name="clean-up", crontab="*/15 * * * *", run_at_startup=True),
        cron("scene_jobs.broken_cron", name="report", crontab="0 9 * * mon-fri", timezone="Europe/Prague"),
        cron("scene_jobs.clean_up", name="every-quarter", month={1, 4, 7, 10}, day=1, hour=3, minute=30),
    ]


def _flow() -> Workflow:
    flow = Workflow("import of customers")
    read = flow.add("read", call("import_rows", "/srv/data/orders.csv"))
    summed = flow.add("sum up", call("summarize", read.result))
    flow.add("tell", call("notify", summed.result), even_if_failed=True)
    return flow


async def _end_with_a_worker(scene: Scene) -> None:
    """Have a job fail because its worker ended, and jobs may not be tried again there."""
    brief = await scene.work("archive", "batch-2", retry_jobs=False)
    await scene.pools["archive"].options(job_id="shut-down").enqueue("import_rows", "/srv/data/a.csv")

    async def has_begun() -> bool:
        return "shut-down" in scene.gates.waiting

    await _until(has_begun, 15)
    await scene.dismiss(brief)


async def _steer(scene: Scene) -> None:
    """Do things by hand, as the audit tells."""
    ada, keeper = scene.inspector(), Inspector(scene.pools["archive"], by="gráinne")
    await ada.pause_cron("every-quarter")
    await ada.scale_queue("mail", limit=5, node="web-2")
    await ada.pause_queue("mail", node="web-2")
    await keeper.pause_queue("archive")


async def _is_settled(scene: Scene) -> bool:
    """Whether all that ends has ended, in Redis and in the ledger."""
    mail = scene.pools["mail"]
    ready = await mail.zcard(RedisEngine(mail, "mail").keys.ready)
    open_ = Query.parse("queue:mail state:available,executing -function:no_such_function")
    page = await scene.console.jobs(open_, limit=50)
    return not ready and {job.function for job in page.jobs} == {"import_rows"} and len(page.jobs) == 2


async def _until(holds: Callable[[], Awaitable[Any]], within: float) -> Any:
    deadline = time.monotonic() + within
    while not (value := await holds()):
        assert time.monotonic() < deadline, f"still not so after {within}s"
        await asyncio.sleep(0.01)
    return value
