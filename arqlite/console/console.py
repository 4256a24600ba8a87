"""`Console`: all that is shown and done to queues, wherever they are."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from ..connections import ArqRedis
from ..jobs import Job
from ..model.query import Query
from . import crons, figures, overview, queues, steering, system
from .auditing import audit_page
from .bulk import BULK_LIMIT, act, purge, still_running
from .counting import count, counts
from .details import job_detail
from .failures import error_groups
from .knowledge import places_meant
from .links import Links
from .listing import list_jobs
from .places import Place, places_of
from .suggestions import suggestions
from .views import (
    AskedToEnd,
    AuditPage,
    CronList,
    Done,
    ErrorGroups,
    Figures,
    JobDetail,
    JobPage,
    Overview,
    QueueState,
    SystemInfo,
    Tally,
    Trouble,
    WorkerList,
)


class Console:
    """Sees and steers queues of several databases and servers: live from Redis, past from the ledger.

    Every question costs a bounded amount of work, however many jobs there are: lists are read in pages,
    counts are capped, and what cannot be asked (a Redis or a ledger that is away) is told as a `Trouble`
    beside what can. Nothing is kept between two questions but connections, which are made when they are first
    needed.

        async with Console([WorkerSettings, MailSettings], by="ada") as console:
            page = await console.jobs(Query.parse("state:discarded since:1h"))

    Args:
        targets: settings classes, instances or dicts as for a worker, or pools.
        by: who looks and acts, as telemetry and the audit tell it.
        redact: parts of the keys, in upper or lower case, whose values are not shown in args, kwargs, meta
            and results; None is `arqlite.console.REDACTED_KEYS`.

    Raises:
        ConfigurationError: a target cannot be used, or none is given.
    """

    def __init__(self, targets: Iterable[Any], *, by: str = "", redact: Iterable[str] | None = None) -> None:
        self._links = Links(places_of(targets), by)
        self._redact = None if redact is None else tuple(redact)

    @property
    def places(self) -> Sequence[Place]:
        """Its queues."""
        return self._links.places

    @property
    def by(self) -> str:
        """Who looks and acts."""
        return self._links.by

    def acting(self, by: str) -> Console:
        """The same console, in the name of somebody else; both share their connections."""
        other = copy.copy(self)
        other._links = self._links.acting(by)
        return other

    def only(self, keys: Collection[str]) -> Console:
        """The same console, with only these of its queues; both share their connections."""
        other = copy.copy(self)
        other._links = self._links.only([place for place in self.places if place.key in keys])
        return other

    async def pool(self, key: str) -> ArqRedis:
        """The client of a queue's Redis, for who enqueues there.

        Raises:
            ConfigurationError: the console has no queue of this key.
            RedisError, OSError: its Redis is out of reach.
        """
        return await self._links.pool(self._links.place(key))

    async def aclose(self) -> None:
        """Close what this opened; pools that were given stay open."""
        await self._links.aclose()

    async def __aenter__(self) -> Console:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # -- seeing

    async def overview(self) -> Overview:
        """The first look: what waits, runs, failed, and what an operator should know."""
        return await overview.overview(self._links)

    async def queues(self) -> Sequence[QueueState]:
        """All queues, by key."""
        return await queues.queue_states(self._links)

    async def queue(self, key: str) -> QueueState:
        """One queue.

        Raises:
            ConfigurationError: the console has none of this key; says which are near.
        """
        return await queues.queue_state(self._links, key)

    async def due_within(self, key: str, seconds: float) -> int:
        """How many jobs of a queue wait for their time and become due within the next seconds.

        Raises:
            ConfigurationError: the console has none of this key.
            RedisError, OSError: its Redis is out of reach.
        """
        place = self._links.place(key)
        return await (await self._links.inspector(place)).due_within(place.queue, seconds)

    async def jobs(self, query: Query | None = None, *, after: str | None = None, limit: int = 50) -> JobPage:
        """A page of the jobs that are meant, the newest first: from the ledger where a queue has one, else
        from Redis.

        Raises:
            ConfigurationError: `after` is no cursor of this list, or the query names an unknown queue.
        """
        return await list_jobs(self._links, query or Query(), self._redact, after=after, limit=limit)

    async def counts(self, query: Query | None = None) -> dict[str, Tally]:
        """How many jobs are meant, by their state, and `all` together; what the query says of states counts
        for nothing.
        """
        return await counts(self._links, query or Query(), self._redact)

    def places_meant(self, query: Query) -> Sequence[Place]:
        """Those of its queues that a query is about.

        Raises:
            ConfigurationError: it names one that there is not.
        """
        return places_meant(self._links, query)

    async def count(self, query: Query) -> Tally:
        """How many jobs are meant."""
        return await count(self._links, query, self._redact)

    async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
        """Everything that is known of one job; None if nothing is.

        Args:
            job_id: its id.
            queue: the key of its queue; None looks through all.

        Raises:
            ConfigurationError: it can be no id, or there is no such queue.
        """
        return await job_detail(self._links, job_id, queue, self._redact)

    async def errors(self, *, since: datetime | None = None, queue: str | None = None) -> ErrorGroups:
        """Failures by what they have in common, of the last 24 hours or since a time.

        At most the newest 5,000 failed jobs are looked at.
        """
        return await error_groups(self._links, since=since, queue=queue)

    async def crons(self) -> CronList:
        """The cron jobs of all queues, by queue and name, and what could not be asked."""
        return await crons.cron_lines(self._links)

    async def workers(self) -> WorkerList:
        """The workers of all queues, by node and session, and which queues could not be asked."""
        return await queues.workers(self._links)

    async def figures(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        queue: str | None = None,
        function: str | None = None,
    ) -> Figures:
        """How it went in the last hour or another time: throughput, percentiles. Empty without a ledger."""
        return await figures.figures(self._links, since, until, queue, function)

    async def system(self, *, production: bool = False) -> SystemInfo:
        """Redis servers, ledgers, leaders, and what the doctor says.

        Args:
            production: also what is fine for development only.
        """
        return await system.system(self._links, production=production)

    async def troubles(self, *, production: bool = False) -> Sequence[Trouble]:
        """What an operator should know now, the worst first; `production` as for `system`."""
        return await system.troubles(self._links, production=production)

    async def audit(
        self, *, queue: str | None = None, actor: str | None = None, after: str | None = None, limit: int = 50
    ) -> AuditPage:
        """What was done by hand, the newest first. Empty without a ledger."""
        return await audit_page(self._links, self._redact, queue=queue, actor=actor, after=after, limit=limit)

    async def suggest(self, word: str, start: str) -> Sequence[str]:
        """Values that a word of the query grammar may have, e.g. the functions that begin so; at most 20,
        from a capped sample.
        """
        return await suggestions(self._links, word, start, self._redact)

    # -- doing

    async def retry(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        """Make the jobs that are meant available now; at most `BULK_LIMIT` in one call.

        Those that have ended and that Redis has forgotten are made anew of their rows.

        Args:
            query: which are meant. Where it names neither a state or a status that they have nor whole ids,
                these are those that are discarded, cancelled or retryable: what went well runs again only
                if that is said.
            limit: to so many it is done at most; never to more than `BULK_LIMIT`.

        Raises:
            ConfigurationError: the query has no words, or cannot be asked, or `limit` is below 1.
            RedisError, OSError: no Redis of the queues that are meant answers. Where some do, it is done
                there, and `Done.troubles` tells of the others.
        """
        return await act(self._links, "retry", query, self._redact, limit)

    async def cancel(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        """Cancel the jobs that are meant and have not ended; at most `limit` of them, see `retry`.

        Where the query names no state these are all that have not ended. Those that run are told apart, as
        `Done.asked`: their workers were asked to end them, and may not do it.
        """
        return await act(self._links, "cancel", query, self._redact, limit)

    async def still_running(self, asked: Iterable[AskedToEnd]) -> Sequence[AskedToEnd]:
        """Look again at jobs whose workers were asked to end them: those that run still.

        Raises:
            RedisError, OSError: a Redis of their queues does not answer.
        """
        return await still_running(self._links, asked)

    async def delete(self, query: Query, *, limit: int = BULK_LIMIT) -> Done:
        """Delete the jobs that are meant and that nobody runs; at most `limit` of them, see `retry`.

        They are gone from Redis; rows of a ledger stay until they are pruned.
        """
        return await act(self._links, "delete", query, self._redact, limit)

    async def pause(self, key: str, *, node: str | None = None) -> None:
        """Have no worker of a queue claim jobs any more."""
        await steering.pause(self._links, key, node)

    async def resume(self, key: str, *, node: str | None = None) -> None:
        """Let the workers of a queue claim jobs again."""
        await steering.resume(self._links, key, node)

    async def scale(self, key: str, *, node: str | None = None, **limits: Any) -> None:
        """Change limits of a queue; as `Inspector.scale_queue` takes them."""
        await steering.scale(self._links, key, node, **limits)

    async def drain(self, key: str, *, timeout: float | None = None) -> Sequence[str]:
        """Pause a queue and wait until nothing of it runs; returns the ids of what runs still."""
        return await steering.drain(self._links, key, timeout)

    async def stop_workers(self, key: str, *, node: str | None = None) -> None:
        """Have the workers of a queue end as after SIGTERM."""
        await steering.stop_workers(self._links, key, node)

    async def purge(self, key: str) -> Done:
        """Cancel all jobs of a queue that wait; at most `BULK_LIMIT` in one call."""
        return await purge(self._links, key)

    async def run_cron(self, key: str, name: str) -> Job[Any]:
        """Enqueue a job of a cron job now."""
        return await steering.run_cron(self._links, key, name)

    async def pause_cron(self, key: str, name: str) -> bool:
        """Let the times of a cron job pass without a job."""
        return await steering.pause_cron(self._links, key, name)

    async def resume_cron(self, key: str, name: str) -> bool:
        """Let a cron job go on."""
        return await steering.resume_cron(self._links, key, name)
