"""A console that needs no server: filled views of every kind, and a note of all that is done to it."""

from __future__ import annotations

import copy
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
from starlette.applications import Starlette

from arqlite.console import (
    BULK_LIMIT,
    Attempt,
    AuditLine,
    AuditPage,
    CronLine,
    CronList,
    Done,
    ErrorGroup,
    ErrorGroups,
    Figures,
    FunctionFigures,
    JobDetail,
    JobLine,
    JobPage,
    LedgerInfo,
    Overview,
    Point,
    Query,
    QueueState,
    ServerInfo,
    SystemInfo,
    Tally,
    TimelineEntry,
    Trouble,
    WorkerInfo,
    WorkerList,
)
from arqlite.dashboard import ADMIN, Access, create_dashboard
from arqlite.errors import ConfigurationError
from arqlite.model.limits import GlobalLimit, RateLimit
from arqlite.model.states import LEDGER_STATUS, Cause, JobState

MAIL, DEFAULT, SLASHED = "mail", "default", "reports@db.internal:6379/1"
QUEUES = (DEFAULT, MAIL, SLASHED)
BIG = 12345678901234567890123
TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.13/site-packages/arqlite/runtime/executor.py", line 88, in _call
    return await function(ctx, *args)
  File "/srv/shop/tasks.py", line 41, in send_mail
    await smtp.send(message)
  File "/venv/lib/python3.13/site-packages/aiosmtplib/client.py", line 301, in send
    raise SMTPServerDisconnected(message)
aiosmtplib.errors.SMTPServerDisconnected: Connection lost
"""
_FUNCTIONS = ("send_mail", "resize_image", "sync_account", "build_report", "charge_card")
_STATES = (
    *[JobState.COMPLETED] * 10,
    *[JobState.EXECUTING] * 2,
    JobState.DISCARDED,
    JobState.AVAILABLE,
    JobState.SCHEDULED,
    JobState.RETRYABLE,
    JobState.CANCELLED,
    JobState.SUSPENDED,
)
_CAUSES = {
    JobState.DISCARDED: (Cause.ERROR, Cause.TIMEOUT, Cause.LOST),
    JobState.CANCELLED: (Cause.CANCELLED, Cause.SHUTDOWN),
    JobState.RETRYABLE: (Cause.ERROR,),
}


def job_line(now: datetime, place: int = 0, **changes: Any) -> JobLine:
    """A job that looks like one; the same number gives the same job."""
    dice = random.Random(place)
    state = changes.pop("state", None) or _STATES[place % len(_STATES)]
    enqueued = now - timedelta(seconds=7 + place * 41)
    started = (
        None
        if state in {JobState.AVAILABLE, JobState.SCHEDULED, JobState.SUSPENDED}
        else enqueued + timedelta(milliseconds=dice.randint(3, 9_000))
    )
    ended = started + timedelta(milliseconds=dice.randint(20, 90_000)) if started and state.is_final else None
    line = JobLine(
        queue=QUEUES[place % 3],
        id=f"{place:04x}{dice.getrandbits(48):012x}",
        function=_FUNCTIONS[place % len(_FUNCTIONS)],
        state=state,
        status=LEDGER_STATUS[state],
        cause=dice.choice(_CAUSES[state]) if state in _CAUSES else None,
        arguments=f"{dice.randint(1, 90_000)}, to='ada{place}@example.com', retries=3",
        priority=place % 4,
        tags=("vip", "eu")[: place % 3],
        attempt=0 if started is None else 1 + place % 3,
        max_attempts=5,
        enqueued_at=enqueued,
        due_at=now + timedelta(minutes=place + 1)
        if state in {JobState.SCHEDULED, JobState.RETRYABLE}
        else enqueued,
        started_at=started,
        finished_at=ended,
        worker=f"web-{place % 2 + 1}:4711:{dice.getrandbits(16):04x}" if started else "",
        triggered_by="ada" if place % 4 == 0 else "",
        error="SMTPServerDisconnected: Connection lost"
        if state in {JobState.DISCARDED, JobState.RETRYABLE}
        else "",
        source="ledger" if state.is_final else "redis",
    )
    return replace(line, **changes)


@dataclass
class FakeConsole:
    """Stands for a `Console`: the same methods, made-up answers, and `acts` of what was done.

    Attributes:
        now: the time of its answers.
        jobs_: the jobs that it has; those of `job` are found by their ids.
        troubles_: what an operator should know.
        acts: who did what to what: `(by, verb, subject)`; shared by all who act through it.
        is_empty: whether nothing has ever happened.
        redis_away, ledger_away: what cannot be asked.
        text: stands in every field that users of arqlite fill, if it is not empty.
        by: who looks and acts.
        seen: the keys of its queues; None is `QUEUES`.
        limits: to how many jobs something was to be done at most; shared like `acts`.
        silent: the keys of queues whose Redis is away when something is done to jobs.
    """

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    jobs_: list[JobLine] = field(default_factory=list)
    troubles_: list[Trouble] = field(default_factory=list)
    acts: list[tuple[str, str, Any]] = field(default_factory=list)
    is_empty: bool = False
    redis_away: bool = False
    ledger_away: bool = False
    text: str = ""
    by: str = ""
    seen: Collection[str] | None = None
    limits: list[int] = field(default_factory=list)
    silent: Collection[str] = ()

    def __post_init__(self) -> None:
        if not self.jobs_ and not self.is_empty:
            self.jobs_ = [self._marked(job_line(self.now, place)) for place in range(120)]
        if not self.troubles_ and not self.is_empty:
            self.troubles_ = [
                Trouble(
                    "error",
                    "no-worker",
                    f"{MAIL}: 214 jobs wait and no worker runs.",
                    "Start one: arqlite worker tasks.MailSettings",
                    MAIL,
                ),
                Trouble(
                    "warning",
                    "eviction-policy",
                    "Redis drops keys when it is full: its policy is allkeys-lru.",
                    "Set maxmemory-policy noeviction.",
                ),
            ]
        if self.redis_away:
            self.troubles_ = [
                Trouble(
                    "error",
                    "redis-away",
                    "Redis at localhost:6379/1 cannot be reached: connection refused.",
                    "Start it, or look at REDIS_URL.",
                ),
                *self.troubles_,
            ]
        if self.ledger_away:
            self.troubles_ = [
                Trouble(
                    "error",
                    "ledger-away",
                    "The ledger at postgresql://db/app cannot be reached.",
                    "History is back when it is.",
                ),
                *self.troubles_,
            ]

    @property
    def places(self) -> Sequence[Any]:
        return [
            SimpleNamespace(
                key=key, queue=key, server="localhost:6379/1", ledger=object(), path="tasks.WorkerSettings"
            )
            for key in self._keys()
        ]

    def acting(self, by: str) -> FakeConsole:
        other = copy.copy(self)
        other.by = by
        return other

    def only(self, keys: Collection[str]) -> FakeConsole:
        other = copy.copy(self)
        other.seen = keys
        other.jobs_ = [job for job in self.jobs_ if job.queue in keys]
        return other

    async def aclose(self) -> None:
        """Nothing was opened."""

    async def overview(self) -> Overview:
        queues = await self.queues()
        return Overview(
            ready=sum(queue.available for queue in queues),
            running=sum(queue.executing for queue in queues),
            failed=None if self.ledger_away else 0 if self.is_empty else 1_204,
            oldest=max((queue.oldest for queue in queues if queue.oldest), default=None),
            points=self._points(60, timedelta(minutes=1)),
            queues=queues,
            errors=(await self.errors()).groups[:5],
            troubles=self.troubles_,
            now_is_exact=not self.redis_away,
            past_is_exact=not self.ledger_away,
        )

    async def queues(self) -> Sequence[QueueState]:
        return [self._queue(key, QUEUES.index(key)) for key in self._keys()]

    async def queue(self, key: str) -> QueueState:
        self._known(key)
        return self._queue(key, QUEUES.index(key))

    async def jobs(self, query: Query | None = None, *, after: str | None = None, limit: int = 50) -> JobPage:
        if after is not None and not after.isdigit():
            raise ConfigurationError(f"{after!r} is no cursor of this list")
        for key in query.get("queue") if query else ():
            self._known(key)
        found = [job for job in self.jobs_ if _fits(job, query)]
        first = int(after or 0)
        more = str(first + limit) if len(found) > first + limit else None
        away = self._away("redis-away", "ledger-away")
        return JobPage(
            [] if self.redis_away and self.ledger_away else found[first : first + limit], more, away
        )

    async def counts(self, query: Query | None = None) -> dict[str, Tally]:
        without = query.with_term("state") if query else None
        found = [job for job in self.jobs_ if _fits(job, without)]
        counts = {state.value: Tally(sum(job.state is state for job in found)) for state in JobState}
        if not self.is_empty:
            counts["completed"] = Tally(1_284_101, "about")
            counts["discarded"] = Tally(100_000, "at least")
        return counts | {"all": Tally(sum(tally.value for tally in counts.values()), "about")}

    async def count(self, query: Query) -> Tally:
        return Tally(sum(_fits(job, query) for job in self.jobs_))

    async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
        line = next((job for job in self.jobs_ if job.id == job_id and queue in {None, job.queue}), None)
        return self._detail(line) if line else None

    async def errors(self, *, since: datetime | None = None, queue: str | None = None) -> ErrorGroups:
        if self.is_empty or self.ledger_away:
            return ErrorGroups([], 0, not self.ledger_away, self._away("ledger-away"))
        groups = [
            ErrorGroup(
                fingerprint=f"{place:016x}",
                queue=queue or QUEUES[place % 3],
                function=self.text or _FUNCTIONS[place],
                error_type=self.text
                or ("SMTPServerDisconnected", "TimeoutError", "KeyError", "ValueError")[place],
                message=self.text
                or (
                    "Connection lost",
                    "took longer than 300 s",
                    "'account_id'",
                    "invalid literal for int() with base 10: 'n/a'",
                )[place],
                place=self.text or f"shop.tasks:{41 + place} in {_FUNCTIONS[place]}",
                count=(1_180, 40, 7, 1)[place],
                first_at=self.now - timedelta(hours=22 - place),
                last_at=self.now - timedelta(minutes=1 + place * 17),
                recent=[
                    random.Random(place * 100 + hour).randint(0, 60 // (place + 1)) for hour in range(24)
                ],
                sample=next((job.id for job in self.jobs_ if job.state is JobState.DISCARDED), "gone"),
                is_open=place == 1,
            )
            for place in range(4)
        ]
        return ErrorGroups(self._seen(groups), 1_228, self.is_empty)

    async def crons(self) -> CronList:
        if self.is_empty or self.redis_away:
            return CronList([], self._away("redis-away"))
        crons = [
            CronLine(
                queue=QUEUES[place],
                name=self.text or name,
                schedule=schedule,
                words=said,
                timezone="Europe/Berlin",
                function=_FUNCTIONS[place],
                last_at=self.now - timedelta(minutes=11 * place + 2),
                next_at=None if place == 2 else self.now + timedelta(minutes=7 * place + 1),
                is_paused=place == 2,
                recent=[job for job in self.jobs_ if job.state.is_final][: 20 - place * 8],
            )
            for place, (name, schedule, said) in enumerate(
                [
                    ("sync-accounts", "*/15 * * * *", "every 15 minutes"),
                    ("daily-report", "0 9 * * 1-5", "weekdays at 09:00"),
                    ("cleanup", "30 3 * * 0", "Sundays at 03:30"),
                ]
            )
        ]
        if self.ledger_away:
            crons = [replace(cron, recent=()) for cron in crons]
        return CronList(self._seen(crons), self._away("ledger-away"))

    async def workers(self) -> WorkerList:
        found = [worker for queue in await self.queues() for worker in queue.workers]
        return WorkerList(found, self._away("redis-away"))

    async def figures(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        queue: str | None = None,
        function: str | None = None,
    ) -> Figures:
        until = until or self.now
        since = since or until - timedelta(hours=1)
        points = self._points(60, (until - since) / 60)
        if self.is_empty or self.ledger_away:
            return Figures(since, until, FunctionFigures(points=points), [], self._away("ledger-away"))
        functions = [
            FunctionFigures(
                queue=queue or QUEUES[place % 3],
                function=self.text or name,
                points=self._points(24, (until - since) / 24),
                total=9_000 // (place + 1),
                failed=place * 31,
                run_ms=None if place == 4 else (12.0 * 6**place, 40.0 * 6**place, 220.0 * 6**place),
                wait_ms=(2.0, 9.5, 480.0),
            )
            for place, name in enumerate(_FUNCTIONS)
            if function in {None, name}
        ]
        overall = FunctionFigures(
            points=points,
            total=20_550,
            failed=310,
            run_ms=(31.0, 900.0, 7_400.0),
            wait_ms=(3.0, 40.0, 1_900.0),
        )
        return Figures(since, until, overall, self._seen(functions))

    async def system(self) -> SystemInfo:
        server = ServerInfo(
            server="localhost:6379/1",
            product="valkey",
            version="9.1.2",
            role="master",
            memory=212_000_000,
            most_memory=536_870_912,
            policy="allkeys-lru",
            persistence="aof",
            latency_ms=0.4,
            clients=31,
        )
        if self.redis_away:
            server = ServerInfo(server="localhost:6379/1", error="connection refused")
        ledger = LedgerInfo(
            url="postgresql+asyncpg://db.internal/app",
            dialect="postgresql",
            mode="relaxed",
            revision="0007",
            rows=Tally(10_204_118, "about"),
            lag=timedelta(milliseconds=140),
            latency_ms=1.8,
        )
        if self.ledger_away:
            ledger = LedgerInfo(url="postgresql+asyncpg://db.internal/app", error="connection refused")
        return SystemInfo([server], [ledger], {DEFAULT: "web-1:4711:a1b2", MAIL: ""}, self.troubles_)

    async def troubles(self) -> Sequence[Trouble]:
        return self.troubles_

    async def audit(
        self, *, queue: str | None = None, actor: str | None = None, after: str | None = None, limit: int = 50
    ) -> AuditPage:
        if self.is_empty or self.ledger_away:
            return AuditPage([], None, self._away("ledger-away"))
        lines = [
            AuditLine(
                at=self.now - timedelta(minutes=9 * place),
                queue=QUEUES[place % 3],
                action=("retry_jobs", "pause_queue", "cancel_job", "purge_queue")[place % 4],
                actor=self.text or ("ada", "grace")[place % 2],
                job_id=self.jobs_[place].id if place % 4 == 2 else "",
                detail={"query": self.text or "state:discarded", "count": 120 * place},
            )
            for place in range(12)
        ]
        shown = [
            line for line in self._seen(lines) if queue in {None, line.queue} and actor in {None, line.actor}
        ]
        return AuditPage(shown, None if after else "2")

    async def suggest(self, word: str, start: str) -> Sequence[str]:
        values: Collection[str] = {
            "state": [state.value for state in JobState],
            "queue": QUEUES,
            "function": _FUNCTIONS,
            "tag": ("eu", "vip"),
        }.get(word, ())
        return [value for value in values if value.startswith(start)]

    async def retry(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        return await self._many("retry", query, limit)

    async def cancel(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        return await self._many("cancel", query, limit)

    async def delete(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        return await self._many("delete", query, limit)

    async def pause(self, key: str, *, node: str | None = None) -> None:
        self._act("pause", key, node)

    async def resume(self, key: str, *, node: str | None = None) -> None:
        self._act("resume", key, node)

    async def scale(self, key: str, *, node: str | None = None, **limits: Any) -> None:
        self._act("scale", key, node, limits)

    async def drain(self, key: str, *, timeout: float | None = None) -> Sequence[str]:
        self._act("drain", key, timeout)
        return []

    async def stop_workers(self, key: str, *, node: str | None = None) -> None:
        self._act("stop_workers", key, node)

    async def purge(self, key: str) -> Done:
        self._act("purge", key)
        return Done(214, 214)

    async def run_cron(self, key: str, name: str) -> Any:
        self._act("run_cron", key, name)
        return SimpleNamespace(job_id="cron-1")

    async def pause_cron(self, key: str, name: str) -> bool:
        self._act("pause_cron", key, name)
        return True

    async def resume_cron(self, key: str, name: str) -> bool:
        self._act("resume_cron", key, name)
        return True

    def _away(self, *codes: str) -> Sequence[Trouble]:
        return [trouble for trouble in self.troubles_ if trouble.code in codes]

    def _keys(self) -> Sequence[str]:
        return [key for key in QUEUES if self.seen is None or key in self.seen]

    def _seen(self, found: Sequence[Any]) -> list[Any]:
        return [one for one in found if one.queue in self._keys()]

    def _known(self, key: str) -> None:
        if key not in self._keys():
            raise ConfigurationError(f"there is no queue {key!r}; there are {', '.join(self._keys())}")

    def _act(self, verb: str, key: str, *rest: Any) -> None:
        self._known(key)
        self.acts.append((self.by, verb, (key, *rest)))

    async def _many(self, verb: str, query: Query, limit: int) -> Done:
        found = [job for job in self.jobs_ if _fits(job, query)]
        self.acts.append((self.by, verb, query))
        self.limits.append(limit)
        done = min(len(found), limit)
        silent = tuple(
            Trouble("error", "redis-away", f"the Redis of queue {key} does not answer", "", key)
            for key in self.silent
        )
        if silent and set(query.get("queue")) and set(query.get("queue")) <= set(self.silent):
            raise ConnectionError("refused")
        if silent:  # each part finds what the one before has left
            self.jobs_[:] = [job for job in self.jobs_ if job not in found[:limit]]
        return Done(done, done, done == len(found) and not silent, silent)

    def _marked(self, line: JobLine) -> JobLine:
        text = self.text
        if not text:
            return line
        return replace(
            line,
            function=text,
            arguments=text,
            tags=(text,),
            worker=text,
            triggered_by=text,
            parent=text,
            error=text,
        )

    def _points(self, count: int, step: timedelta) -> list[Point]:
        dice = random.Random(7)
        quiet = self.is_empty or self.ledger_away
        return [
            Point(
                at=self.now - step * (count - place),
                completed=0 if quiet else 60 + place + dice.randint(0, 50),
                failed=0 if quiet else dice.choice((0, 0, 1, 4, 19)),
                cancelled=0 if quiet else dice.choice((0, 0, 0, 3)),
                retried=0 if quiet else dice.randint(0, 14),
            )
            for place in range(count)
        ]

    def _queue(self, key: str, place: int) -> QueueState:
        if self.redis_away:
            return QueueState(
                key=key, name=key, server="localhost:6379/1", error="connection refused", has_ledger=True
            )
        if self.is_empty:
            return QueueState(key=key, name=key, server="localhost:6379/1")
        running = [job.id for job in self.jobs_ if job.queue == key and job.state is JobState.EXECUTING]
        workers = [
            WorkerInfo(
                queue=key,
                session=f"web-{node + 1}:4711:{place}{node}f3",
                node=self.text or f"web-{node + 1}",
                pid=4711 + node,
                version="0.1.0",
                limit=10,
                running=running[: 10 - 4 * node],
                started_at=self.now - timedelta(hours=30 * (node + 1), minutes=12),
                is_paused=place == 2 and node == 0,
                leads=node == 0,
                memory=181_000_000 + node * 3_400_000 if node == 0 else None,
                loop_lag=timedelta(milliseconds=3 + 140 * place) if node == 0 else None,
                functions=_FUNCTIONS[: place + 2],
            )
            for node in range(2)
        ]
        return QueueState(
            key=key,
            name=key.partition("@")[0],
            server="localhost:6379/1",
            is_paused=place == 2,
            available=(12_044, 214, 0)[place],
            scheduled=(31, 4, 1_200)[place],
            retryable=(3, 0, 9)[place],
            suspended=(0, 2, 0)[place],
            executing=(17, 0, 4)[place],
            oldest=(timedelta(seconds=4), timedelta(minutes=42), None)[place],
            limit=(None, 10, None)[place],
            slots=(20, 0, 20)[place],
            global_limit=GlobalLimit(20, "args.tenant_id") if place == 0 else None,
            rate_limit=RateLimit(60, 60) if place == 0 else None,
            rate_used=41 if place == 0 else None,
            node_limits={"web-2": 4} if place == 0 else {},
            node_pauses={"web-1": True} if place == 2 else {},
            workers=workers if place != 1 else [],
            ended=()
            if self.ledger_away
            else [random.Random(place * 60 + minute).randint(0, 90) for minute in range(60)],
            has_ledger=place != 2,
            ledger_error="connection refused" if self.ledger_away and place != 2 else "",
        )

    def _detail(self, line: JobLine) -> JobDetail:
        began = line.enqueued_at or self.now
        tries = [
            Attempt(
                number=number,
                state=line.state.value if number == line.attempt else "retryable",
                cause=None if number == line.attempt and not line.error else Cause.ERROR,
                worker=line.worker,
                started_at=began + timedelta(minutes=number),
                finished_at=None
                if line.state is JobState.EXECUTING and number == line.attempt
                else began + timedelta(minutes=number, seconds=number * 3.2),
                error_type=""
                if number == line.attempt and not line.error
                else self.text or "SMTPServerDisconnected",
                message="" if number == line.attempt and not line.error else self.text or "Connection lost",
                traceback="" if number == line.attempt and not line.error else self.text or TRACEBACK,
            )
            for number in range(1, line.attempt + 1)
        ]
        steps = [TimelineEntry(began, "enqueued", f"by {line.triggered_by or 'an application'}")]
        for one in tries:
            if one.started_at:
                steps.append(TimelineEntry(one.started_at, "started", one.worker))
            if one.finished_at:
                steps.append(TimelineEntry(one.finished_at, one.state, one.message))
        done = line.state.is_final
        return JobDetail(
            line=line,
            args=[42, self.text or "ada@example.com"],
            kwargs={"account": BIG, "password": "***", self.text or "note": self.text or "hello"},
            meta={
                "tenant": self.text or "ACME Ltd",
                "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            },
            result=(self.text or {"sent": 3, "account": BIG}) if line.state is JobState.COMPLETED else None,
            attempts=tries,
            timeline=steps,
            progress={"done": 30, "total": 120, "text": self.text or "pages"} if not done else None,
            logs=[self.text or f"line {number} of the job" for number in range(1, 5)],
            children=[job.id for job in self.jobs_[:2]],
            workflow=("wf-1", self.text or "charge"),
            unique_key=self.text or "send_mail:42",
            actions=frozenset({"retry", "delete"} if done else {"cancel", "run"}),
            sources=frozenset({"redis", "ledger"}),
            is_redacted=True,
        )


def _fits(job: JobLine, query: Query | None) -> bool:
    """Whether a few kinds of terms hold: enough to see that a query arrives."""
    for term in query.terms if query else ():
        values = {
            "state": [job.state.value],
            "queue": [job.queue],
            "function": [job.function],
            "cause": [job.cause.value if job.cause else ""],
            "tag": list(job.tags),
            "id": [job.id],
            "parent": [job.parent],
            "text": [job.id, job.function],
        }.get(term.name)
        if values is not None and term.negated == any(value in term.values for value in values):
            return False
    return True


def pages_app(console: FakeConsole | None = None, access: Access = ADMIN, **options: Any) -> Starlette:
    """A dashboard of a fake console, which lets everybody in with this access."""
    options.setdefault("trace_url", "https://traces.example/{trace_id}")
    return create_dashboard(console or FakeConsole(), auth=lambda request: access, **options)


def visitor(app: Any, **headers: str) -> httpx.AsyncClient:
    """A browser on this machine."""
    transport = httpx.ASGITransport(app)
    told = {"Sec-Fetch-Site": "same-origin", **headers}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8484", headers=told)
