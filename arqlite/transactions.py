"""Jobs in SQL transactions of programs without an event loop: Flask, Django-like views, scripts, threads.

Programs with one say `await pool.options(session=session).enqueue(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, overload

from typing_extensions import Unpack

from .constants import default_queue_name as _default_queue_name
from .constants import expires_extra_ms
from .errors import ConfigurationError
from .model import calls as made
from .model import checks
from .model.calls import PLAIN, Call, JobOptions, Options
from .model.functions import Function
from .offering import Offer, codec_of
from .typing import Deserializer, P, R, Serializer

if TYPE_CHECKING:  # SQLAlchemy is imported by those who have a ledger only
    from sqlalchemy.orm import Session, scoped_session

    from .client import ArqRedis
    from .ledger import Ledger

__all__ = ("EnqueuedJob", "Outbox")

_NEEDS_A_LOOP = ("session", "ledger")


class EnqueuedJob(NamedTuple):
    """A job that is enqueued with the commit of its transaction.

    Attributes:
        job_id: its id; `Job(job_id, pool, queue)` is a handle on it.
        queue: where it goes.
        conflict: True when it was not enqueued by the call that gave it, since a job of its id is open.
    """

    job_id: str
    queue: str
    conflict: bool


class Outbox:
    """Enqueues jobs in transactions, without waiting for anything but the database.

        outbox = Outbox(ledger)

        with Session(engine) as session, session.begin():
            session.add(user)
            outbox.enqueue(session, send_welcome, user.email)

    A worker of the queue that has the same ledger finds the job within a second or two after the commit. With
    a `pool` whose loop runs in another thread, it is pushed at once.

    Args:
        ledger: the ledger of the workers; its tables are in the database of the sessions.
        queue: where jobs go unless told otherwise; the pool's default, or arq's.
        pool: pushes jobs right after the commit, in the event loop that made it.
        job_serializer: how jobs are written, as on the workers; the pool's, or JSON.
        job_deserializer: how they are read.

    Raises:
        ConfigurationError: one of them cannot work.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        queue: str | None = None,
        pool: ArqRedis | None = None,
        job_serializer: Serializer | None = None,
        job_deserializer: Deserializer | None = None,
    ) -> None:
        from .ledger.given import must_be_a_ledger

        must_be_a_ledger(ledger)
        if queue is not None:
            checks.instance("queue", queue, str, "a text")
        self.ledger = ledger
        self.default_queue_name = queue or (_default_queue_name if pool is None else pool.default_queue_name)
        self.job_serializer = job_serializer or (None if pool is None else pool.job_serializer)
        self.job_deserializer = job_deserializer or (None if pool is None else pool.job_deserializer)
        self.expires_extra_ms = expires_extra_ms if pool is None else pool.expires_extra_ms
        self._courier = _courier_of(pool, ledger)
        self._options = PLAIN

    @overload
    def enqueue(
        self,
        session: Session | scoped_session[Any],
        task: Function[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> EnqueuedJob: ...
    @overload
    def enqueue(
        self,
        session: Session | scoped_session[Any],
        task: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> EnqueuedJob: ...
    @overload
    def enqueue(
        self,
        session: Session | scoped_session[Any],
        task: Callable[Concatenate[Any, P], R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> EnqueuedJob: ...
    @overload
    def enqueue(
        self, session: Session | scoped_session[Any], task: str, /, *args: Any, **kwargs: Any
    ) -> EnqueuedJob: ...
    def enqueue(
        self, session: Session | scoped_session[Any], task: Any, /, *args: Any, **kwargs: Any
    ) -> EnqueuedJob:
        """Enqueue a job in a session's transaction; type checkers check the call, and so does this.

        Args:
            session: the session; it is not flushed and not committed.
            task: the function itself, what `func` made of it, or a name. Only a name is not checked.
            args: what to call it with, after `ctx`.
            kwargs: what to call it with, by name.

        Raises:
            InvalidArguments: the function cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
            sqlalchemy.exc.SQLAlchemyError: the transaction failed.
        """
        [job] = self.enqueue_many(session, [made.call(task, *args, **kwargs)])
        return job

    def enqueue_many(
        self, session: Session | scoped_session[Any], calls: Iterable[Call[Any]]
    ) -> list[EnqueuedJob]:
        """Enqueue many jobs in a session's transaction.

        Args:
            session: the session.
            calls: what `arqlite.call` makes; their own options win.

        Raises:
            InvalidArguments: a function cannot be called so; nothing was enqueued.
            SerializationError: an argument cannot be written; nothing was enqueued.
            sqlalchemy.exc.SQLAlchemyError: the transaction failed.
        """
        from .outbox.sessions import blocking_session
        from .outbox.transaction import stage

        codec = codec_of(self)
        offers = [Offer(self, codec, call, self._options) for call in calls]
        for offer in offers:
            _refuse_what_needs_a_loop(offer.settled)
        holders = stage(blocking_session(session), self.ledger, self._courier, offers)
        return [
            EnqueuedJob(
                offer.job.job_id if holder is None else holder.job_id, offer.queue, holder is not None
            )
            for offer, holder in zip(offers, holders, strict=True)
        ]

    def options(self, **options: Unpack[JobOptions]) -> Outbox:
        """Say how jobs are to be enqueued: `outbox.options(delay=60).enqueue(session, send, "a@b.c")`.

        Args:
            options: as for `ArqRedis.options`, without `session` and `ledger`. Whether a unique job is there
                already is found out when this one is pushed: then its row ends as CANCELLED.

        Raises:
            ConfigurationError: one of them is unknown or cannot work.
        """
        checked = made.checked(**options)
        _refuse_what_needs_a_loop(checked)
        told = Outbox.__new__(Outbox)
        told.__dict__.update(self.__dict__)
        told._options = made.merged(checked, self._options)
        return told


def _courier_of(pool: ArqRedis | None, ledger: Ledger) -> Any:
    if pool is None:
        from .outbox.staging import NOBODY

        return NOBODY
    if pool.ledger is not ledger:
        raise ConfigurationError("the pool of an Outbox has the same ledger: create_pool(..., ledger=ledger)")
    return pool.outbox.delivery


def _refuse_what_needs_a_loop(options: Options) -> None:
    for name in _NEEDS_A_LOOP:
        if getattr(options, name) is not None:
            raise ConfigurationError(
                f"an Outbox has no option {name}: each job goes into the session that it is enqueued with"
            )
