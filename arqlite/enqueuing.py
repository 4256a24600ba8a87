"""The verbs that enqueue, written once: for a pool, and for a pool with options."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, TypeAlias, overload

from typing_extensions import Unpack

from .engine import ENQUEUE_CHUNK, Holder, NewJob
from .errors import ConfigurationError, JobConflict
from .jobs import Job
from .model import calls as made
from .model import checks, tracing
from .model.calls import Call, JobOptions, Options
from .model.functions import Function
from .model.states import STATES_BY_LETTER
from .offering import Offer, QueueClient, codec_of
from .telemetry import JobEnqueued, execute, has_handlers
from .typing import P, R

if TYPE_CHECKING:  # SQLAlchemy is imported by those who have a ledger only
    from .outbox import Desk

logger = logging.getLogger("arqlite.enqueuing")

_MOST_NAMES = 1000
_told: set[str] = set()

Diversion: TypeAlias = Callable[[QueueClient, Call[Any], NewJob, str], Awaitable[Job[Any]]]
"""Takes a job that was written for a queue, instead of the queue, and gives the caller a handle on it."""

_LEFT_OUT: tuple[Any, ...] = (None, (), {})

diversion: ContextVar[Diversion | None] = ContextVar("arqlite_diversion", default=None)
"""Where jobs go that are enqueued in this context; None is to their queues. The testing kit sets it."""


class Enqueuing:
    """What can enqueue jobs."""

    @overload
    async def enqueue(self, task: Function[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Job[R]: ...
    @overload
    async def enqueue(
        self,
        task: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Job[R]: ...
    @overload
    async def enqueue(
        self, task: Callable[Concatenate[Any, P], R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self, task: str, /, *args: Any, **kwargs: Any) -> Job[Any]: ...
    async def enqueue(self, task: Any, /, *args: Any, **kwargs: Any) -> Job[Any]:
        """Enqueue a job of a function that is at hand; type checkers check the call, and so does this.

        Args:
            task: the function itself, what `func` made of it, or a name. Only a name is not checked.
            args: what to call it with, after `ctx`.
            kwargs: what to call it with, by name; all names are the function's, none is an option.

        Returns:
            The job. Its result has the type that the function's annotation says. Where an id in use was
            asked for (`options(job_id=...)`), it is the job that has it, and `conflict` is True; so it is
            where a unique job is there already.

        Raises:
            JobConflict: a unique job is there already, and its rule says `on_conflict="raise"`.
            InvalidArguments: the function cannot be called so; nothing was enqueued.
            ConfigurationError: it is no job function, having no `ctx` or no name; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
            LedgerUnavailable: its row had to be committed first, and the database is away.
        """
        return await send(*self._target_with(made.call(task, *args, **kwargs)))

    @overload
    async def enqueue_many(
        self, calls: Iterable[Call[R]], *, _queue_name: str | None = None
    ) -> list[Job[R]]: ...
    @overload
    async def enqueue_many(
        self, calls: Iterable[tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job[Any]]: ...
    async def enqueue_many(
        self, calls: Iterable[Call[Any] | tuple[Any, ...]], *, _queue_name: str | None = None
    ) -> list[Job[Any]]:
        """Enqueue many jobs at once; each chunk of 500 of a queue is stored as a whole or not at all.

        Args:
            calls: what `arqlite.call` makes, or tuples `(function, args, kwargs)` of which kwargs, or both,
                may be left out. Options of a call's own win.
            _queue_name: the queue of those that name none; the pool's default.

        Returns:
            The jobs in the order of the calls; `conflict` is True for one whose id is in use, or that is
            unique and there already, be it by an earlier one of these calls.

        Raises:
            JobConflict: a unique job is there already, and its rule says `on_conflict="raise"`. All others
                are enqueued; `error.jobs` has what would have been returned.
            InvalidArguments: a function cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
            redis.exceptions.RedisError: Redis failed; a note on the error tells how many jobs were stored.
        """
        client, options = self._target()
        if _queue_name is not None:
            options = options._replace(queue=_queue_name)
        return await send_many(client, [_call(one) for one in calls], options)

    def options(self, **options: Unpack[JobOptions]) -> Enqueuer:
        """Say how jobs are to be enqueued: `await pool.options(delay=60).enqueue(send, "a@b.c")`.

        Args:
            options: any of these:
                `delay`, seconds or a timedelta to wait first; a negative one was due so long ago, and so
                comes before jobs that are due now;
                `at`, when to run it instead, a datetime (a naive one is local time);
                `queue`, its name, the pool's default if not given;
                `job_id`, an id of your own, so that the job is enqueued only once;
                `priority`, 0 (the default) runs first, 9 last, among equals the older job;
                `expires`, seconds or a timedelta after which it is not started any more;
                `first_try`, the number of its first try, 1 if not given;
                `max_attempts`, how often it may fail, as its task has it if not given; a bare function is
                not tried again, so of one that is at hand it is refused;
                `tags`, a list of texts to find it by, in lower case and each once;
                `meta`, a dict of plain data that it carries beside its arguments;
                `unique`, a `Unique` that tells when it counts as a job that is there already; True is that
                with its defaults, but for ever, False is never; a dict changes only parts of what is said
                already;
                `session`, an `AsyncSession` or `Session` of SQLAlchemy: the job is enqueued in its
                transaction, pushed after the commit, and gone with a rollback;
                `ledger`, "strict" to have its row committed before this answers, "behind" to have it follow;
                `row`, a dict of further values for its row: `job_type`, `user_id`, `input_payload` and
                columns of your own;
                `triggered_by`, who asked for it, a text;
                `parent`, the id of the job that did, by default the one that runs.
                The first three need a pool with a ledger.

        Raises:
            ConfigurationError: one of them is unknown or cannot work.
        """
        client, before = self._target()
        return Enqueuer(client, made.merged(made.checked(**options), before))

    def _target(self) -> tuple[QueueClient, Options]:
        """Tell where jobs go, and how."""
        raise NotImplementedError

    def _target_with(self, call: Call[R]) -> tuple[QueueClient, Call[R], Options]:
        client, options = self._target()
        return client, call, options


class Enqueuer(Enqueuing):
    """Enqueues jobs on a pool with the options it was made with; made by `ArqRedis.options`.

    Args:
        client: the pool.
        options: how.
    """

    def __init__(self, client: QueueClient, options: Options) -> None:
        self._client = client
        self._options = options

    def enqueue_workflow(self, flow: Any) -> NoReturn:
        """Workflows are enqueued by the pool itself: what is said here is said of jobs, one by one.

        Raises:
            ConfigurationError: always; it tells what to write instead.
        """
        raise ConfigurationError(
            "options(...) are of single jobs; the steps of a workflow have their own, "
            "call(...).options(delay=60), and Workflow(name, queue=...) or chain(...).workflow(queue=...) "
            "says its queue: then pool.enqueue_workflow(...)"
        )

    def _target(self) -> tuple[QueueClient, Options]:
        return self._client, self._options


def tell_of_slips(function: str, kwargs: Iterable[str]) -> None:
    """Say once for each name that it is no option of `enqueue_job`, and goes to the function, as in arq."""
    for name in kwargs:
        if name[:1] != "_" or name in _told or len(_told) >= _MOST_NAMES:
            continue
        if hint := made.slip_of_arq(name):
            _told.add(name)
            logger.warning(
                "enqueue_job has no option %s, so it is an argument of %s; %s", name, function, hint
            )


async def send(client: QueueClient, call: Call[R], options: Options) -> Job[R]:
    """Enqueue one call."""
    if not tracing.tracers:
        return await _send(client, call, options)
    with tracing.sending(_queue_of(client, [call], options), [call.function]) as accepted:
        job = await _send(client, call, options)
        accepted(() if job.conflict else (job.job_id,))
        return job


async def _send(client: QueueClient, call: Call[R], options: Options) -> Job[R]:
    offer = Offer(client, codec_of(client), call, options)
    if (divert := diversion.get()) is not None:
        return await divert(client, call, offer.job, offer.queue)
    holder = await _accept(client, offer)
    if holder is None:
        return Job.of_call(offer.job.job_id, client, offer.queue, call.signature)
    if offer.must_raise(holder):
        raise _conflict(offer, holder)
    await _settle_conflict(client, offer, holder)
    return Job.of_call(holder.job_id, client, offer.queue, call.signature, conflict=True)


async def _accept(client: QueueClient, offer: Offer) -> Holder | None:
    """Have a job accepted; tells which one is there instead."""
    if client.ledger is not None or offer.settled.concerns_rows:
        return await _outbox(client).accept(offer)
    holder = await client.queue(offer.queue).offer(offer.job)
    if holder is not None and offer.is_in_conflict(holder):
        return holder
    if has_handlers(JobEnqueued):
        execute(JobEnqueued(offer.queue, offer.job.job_id, offer.call.function))
    return None


async def _settle_conflict(client: QueueClient, offer: Offer, holder: Holder) -> None:
    if offer.settled.session is None:  # otherwise it waits for the commit, as the job would have
        await offer.settle_conflict(client.queue(offer.queue).engine, holder)


def _outbox(client: QueueClient) -> Desk:
    outbox: Desk = client.outbox
    return outbox


async def send_many(client: QueueClient, calls: list[Call[Any]], common: Options) -> list[Job[Any]]:
    """Enqueue many calls, queue by queue."""
    if not tracing.tracers or not calls:
        return await _send_many(client, calls, common)
    functions = [call.function for call in calls]
    with tracing.sending(_queue_of(client, calls, common), functions) as accepted:
        jobs = await _send_many(client, calls, common)
        accepted([job.job_id for job in jobs if not job.conflict])
        return jobs


def _queue_of(client: QueueClient, calls: Sequence[Call[Any]], options: Options) -> str:
    """Tell where jobs go, for those who follow them; empty if not all go to one queue."""
    queues = {call.settled(options).queue or client.default_queue_name for call in calls}
    return queues.pop() if len(queues) == 1 else ""


async def _send_many(client: QueueClient, calls: list[Call[Any]], common: Options) -> list[Job[Any]]:
    codec = codec_of(client)
    offers = [Offer(client, codec, call, common) for call in calls]
    if (divert := diversion.get()) is not None:
        return [await divert(client, offer.call, offer.job, offer.queue) for offer in offers]
    holders = await _store(client, offers)
    for place, holder in holders.items():
        await _settle_conflict(client, offers[place], holder)
    jobs: list[Job[Any]] = []
    for place, offer in enumerate(offers):
        conflict = place in holders
        job_id = holders[place].job_id if conflict else offer.job.job_id
        jobs.append(Job.of_call(job_id, client, offer.queue, offer.call.signature, conflict=conflict))
    for place, holder in sorted(holders.items()):
        if offers[place].must_raise(holder):
            raise _conflict(offers[place], holder, jobs)
    return jobs


async def _store(client: QueueClient, offers: list[Offer]) -> dict[int, Holder]:
    """Store jobs chunk by chunk; returns the places of those that are in conflict, and with whom."""
    places_of: dict[tuple[str, Hashable], list[int]] = {}
    for place, offer in enumerate(offers):
        has_route = client.ledger is not None or offer.settled.concerns_rows
        route = _outbox(client).route(offer) if has_route else None
        places_of.setdefault((offer.queue, route), []).append(place)
    holders: dict[int, Holder] = {}
    stored = 0
    for (queue, route), places in places_of.items():
        for start in range(0, len(places), ENQUEUE_CHUNK):
            chunk = places[start : start + ENQUEUE_CHUNK]
            its_offers = [offers[place] for place in chunk]
            try:
                if route is None:
                    answers = await _store_chunk(client, queue, its_offers)
                else:
                    answers = await _outbox(client).accept_all(its_offers)
            except Exception as error:
                error.add_note(
                    f"{stored} of {len(offers)} jobs are stored; of the next {len(chunk)}, either all or none"
                )
                raise
            stored += len(chunk)
            holders |= {
                place: holder for place, holder in zip(chunk, answers, strict=True) if holder is not None
            }
    return holders


async def _store_chunk(client: QueueClient, queue: str, offers: Sequence[Offer]) -> list[Holder | None]:
    """Store jobs of one queue, all or none; tells of each which job is there instead."""
    refused = await client.queue(queue).engine.enqueue([offer.job for offer in offers])
    answers: list[Holder | None] = [None] * len(offers)
    for order in refused:
        holder = refused.holder(order, offers[order].job)
        if holder is not None and offers[order].is_in_conflict(holder):
            answers[order] = holder
    taken = [offer for offer, answer in zip(offers, answers, strict=True) if answer is None]
    if client.ledger is not None:
        await _outbox(client).follow(taken)
    elif has_handlers(JobEnqueued):
        for offer in taken:
            execute(JobEnqueued(queue, offer.job.job_id, offer.call.function))
    return answers


def _conflict(offer: Offer, holder: Holder, jobs: Sequence[Job[Any]] = ()) -> JobConflict:
    refused = sum(job.conflict for job in jobs)
    others = f"; of {len(jobs)} jobs {refused} were not enqueued, and the others were" if jobs else ""
    state = STATES_BY_LETTER[holder.state]
    return JobConflict(
        f"{offer.call.function} was not enqueued: job {holder.job_id} ({state}) is the same one{others}",
        job_id=holder.job_id,
        state=state,
        jobs=jobs,
    )


def _call(given: Call[Any] | tuple[Any, ...]) -> Call[Any]:
    """Take a call as it is, and `(function, args, kwargs)` apart."""
    if isinstance(given, Call):
        return given
    if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
        raise ConfigurationError(
            f"a call is what arqlite.call makes, or (function, args, kwargs), got {given!r}"
        )
    function, args, kwargs = given + _LEFT_OUT[len(given) :]
    checks.instance("args", args, (tuple, list), "a tuple or a list")
    checks.instance("kwargs", kwargs, dict, "a dict")
    return made.call(function, *args, **kwargs)
