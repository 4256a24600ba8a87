"""The demo from its start to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from app.core.config import settings
from app.demo.client import Accepted, ApiClient, Ledger
from app.demo.display import make_display
from app.demo.errors import DemoError
from app.demo.export import write_json, write_transactions
from app.demo.following import FollowedJob, Follower
from app.demo.options import CHECKOUT, Options, must_be_usable
from app.demo.ports import HOST, choose_port
from app.demo.processes import Processes, Program
from app.demo.report import report, short
from app.demo.server import Server, without_password
from app.demo.summary import Places, Summary
from app.demo.words import plural

START_SECONDS = 60.0
BATCH_SIZE = 20

_LOOK_SECONDS = 0.05
_FIGURES_SECONDS = 2.0
_WORKERS = (
    Program("base worker", "base queue, Redis database 1", ("run_base_worker.py",), "base-worker.log"),
    Program("email worker", "email queue, Redis database 2", ("run_email_worker.py",), "email-worker.log"),
)


class Demo:
    """One run of the demo.

    Attributes:
        summary: what happened; None until the jobs have ended.
        processes: the child processes.
    """

    def __init__(self, options: Options, console: Console, cwd: Path) -> None:
        self.summary: Summary | None = None
        self.processes = Processes(settings.data_dir / "logs", CHECKOUT)
        self._options = options
        self._console = console
        self._cwd = cwd
        self._mailbox = settings.MAILBOX_PATH.expanduser().resolve()
        self._display = make_display(console)
        self._began = time.monotonic()

    async def play(self) -> bool:
        """Start everything, run the jobs, tell what happened; tell whether all of it succeeded.

        With `once` everything is ended then; without, it runs until this task is cancelled.

        Raises:
            DemoError: something did not come up, died, or took too long. Everything is ended by then.
        """
        must_be_usable(self._mailbox, self._options)
        port = choose_port(self._options.port)
        server = Server(settings.REDIS_URL, settings.data_dir)
        try:
            async with self.processes:
                return await self._act(server, port)
        finally:
            self._display.close()
            self._tell_end(was_last=await server.close())

    async def _act(self, server: Server, port: int) -> bool:
        try:
            self.summary = await self._run_jobs(server, port)
            self._hand_out(self.summary)
            if not self._options.once:
                self._say("Everything keeps running. Ctrl-C ends it.", style="bold")
                await self.processes.until_one_dies()
        except asyncio.CancelledError:
            self._display.close()
            self._say("ending: running jobs may finish; Ctrl-C again ends them at once")
            raise
        return self.summary.ok

    async def _run_jobs(self, server: Server, port: int) -> Summary:
        self._display.ready(server.name, server.detail, server.seconds)
        async with ApiClient(f"http://{HOST}:{port}") as api:
            await self._start_processes(api, port)
            account_id, user_id = await api.account_id(str(self._mailbox))
            jobs = await self._follow_jobs(api, account_id, user_id)
            transactions = [item async for item in api.transactions(account_id)]
            ledger = await self._ledger_of(api, jobs)
        self._display.close()
        return Summary(
            mailbox=self._mailbox,
            jobs=jobs,
            transactions=transactions,
            ledger=ledger,
            places=Places(
                api=api.url,
                data_dir=settings.data_dir,
                database=without_password(settings.database_url),
                redis=server.address,
                logs={running.program.name: running.log for running in self.processes.running},
            ),
            seconds=time.monotonic() - self._began,
        )

    async def _start_processes(self, api: ApiClient, port: int) -> None:
        """Start both workers and the API at once, and wait until the API says that all are there."""
        began = time.monotonic()
        self._display.begin("starting two workers and the API")
        serving = ("-m", "uvicorn", "app.main:app", "--host", HOST, "--port", str(port), "--no-access-log")
        for program in (*_WORKERS, Program("API", api.url, serving, "api.log")):
            await self.processes.start(program)
        await self._until_healthy(api, began + START_SECONDS)
        seconds = time.monotonic() - began
        for running in self.processes.running:
            detail = f"{running.program.detail}, process {running.process.pid}"
            self._display.ready(running.program.name, detail, seconds)

    async def _until_healthy(self, api: ApiClient, give_up_at: float) -> None:
        while True:
            self.processes.must_be_alive()
            health = await api.health()
            if health is not None and health.get("status") == "ok":
                return
            if time.monotonic() > give_up_at:
                raise DemoError(
                    f"not everything came up within {START_SECONDS:.0f} s: {_what_is_missing(health)}. "
                    f"The logs are in {short(self.processes.logs, self._cwd)}."
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _follow_jobs(self, api: ApiClient, account_id: int, user_id: int) -> list[FollowedJob]:
        """The sample task and the fetch at once, for their queues are two; then the extraction."""
        follower = Follower(
            api,
            self.processes.must_be_alive,
            self._display.show,
            give_up_at=time.monotonic() + self._options.timeout,
        )
        before = await api.email_counts(account_id)
        follower.add(_job("SAMPLE", "base", await api.trigger_sample()))
        fetch = follower.add(_job("EMAIL_FETCH", "email", await api.trigger_fetch(account_id, user_id)))

        async def count_saved() -> None:
            fetch.done = (await api.email_counts(account_id)).total - before.total

        await follower.until_ended(count_saved)
        if fetch.status != "SUCCESS":
            return follower.jobs
        waiting = (await api.email_counts(account_id)).waiting
        extraction = _job("EMAIL_EXTRACTION", "email", await api.trigger_extract(BATCH_SIZE))
        extraction.total = waiting
        follower.add(extraction)

        async def count_read() -> None:
            extraction.done = max(0, waiting - (await api.email_counts(account_id)).waiting)

        await follower.until_ended(count_read)
        return follower.jobs

    async def _ledger_of(self, api: ApiClient, jobs: Sequence[FollowedJob]) -> Ledger:
        """The ledger's figures, which are written some ms after the jobs they tell of."""
        give_up_at = time.monotonic() + _FIGURES_SECONDS
        while True:
            ledger = await api.ledger()
            if sum(ledger.ended.values()) >= len(jobs) or time.monotonic() > give_up_at:
                return ledger
            await asyncio.sleep(_LOOK_SECONDS)

    def _hand_out(self, summary: Summary) -> None:
        report(self._console, summary, stays=not self._options.once, cwd=self._cwd)
        if (file := self._options.json_file) is not None:
            write_json(file, summary.as_dict())
            self._say(f"summary written to {short(file, self._cwd)}")
        if (file := self._options.transactions_file) is not None:
            rows = write_transactions(file, self._mailbox, summary.transactions)
            self._say(f"{plural(rows, 'message')} written to {short(file, self._cwd)}")

    def _tell_end(self, *, was_last: bool) -> None:
        for name in self.processes.killed:
            self._say(
                f"the {name} did not end when asked and was killed; its jobs run again with the next worker"
            )
        kept = f"data and logs are kept in {short(settings.data_dir, self._cwd)}"
        if was_last:
            self._say(f"all processes have ended; {kept}")
        else:
            self._say(f"the embedded server stays: other processes of the project use it; {kept}")

    def _say(self, text: str, style: str = "dim") -> None:
        self._console.print(f"  {text}", style=style, highlight=False, markup=False, soft_wrap=True)


def _job(title: str, queue: str, accepted: Accepted) -> FollowedJob:
    return FollowedJob(title=title, queue=queue, accepted=accepted)


def _what_is_missing(health: object) -> str:
    if not isinstance(health, dict):
        return "the API does not answer"
    checks = health.get("checks", {})
    return "; ".join(f"{name}: {check['detail']}" for name, check in checks.items() if not check["ok"])
