"""What may be said of a job when it is enqueued, and the words of others for it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, cast

from typing_extensions import Unpack

from ..errors import ConfigurationError
from ..typing import SecondsTimedelta
from ..utils import to_ms
from . import checks, tracing
from .context import running_job
from .unique import UniqueOption
from .unique import merged as merged_unique
from .unique import option as unique_option

# `_deferby` is nearly `_defer_by`; `_job` need not be meant for `_job_id`.
_NEARLY = 0.85
LOWEST_PRIORITY = checks.LOWEST_PRIORITY

LedgerMode: TypeAlias = Literal["behind", "strict"]
"""When the ledger has the row of a job: a few ms after Redis has the job, or before anybody is told so."""


class JobOptions(TypedDict, total=False):
    """What a caller may say of a job, see `ArqRedis.options`."""

    delay: SecondsTimedelta | None
    at: datetime | None
    queue: str | None
    job_id: str | None
    priority: int | None
    expires: SecondsTimedelta | None
    first_try: int | None
    max_attempts: int | None
    tags: Sequence[str] | None
    meta: Mapping[str, Any] | None
    unique: UniqueOption
    session: Any
    ledger: LedgerMode | None
    row: Mapping[str, Any] | None
    triggered_by: str | None
    parent: str | None


class Options(NamedTuple):
    """How a job is enqueued, checked.

    Attributes:
        delay_ms: how long to wait from now, negative for what was due before; None is not at all.
        at_ms: when it is due, in ms since 1970; None is now.
        queue: the queue; None is the pool's default.
        job_id: an id of the caller's own; None makes one.
        priority: 0 runs first, 9 last; None is 0.
        expires_ms: how long from now it may be started; None is for ever.
        first_try: the number of its first try; None is 1.
        max_attempts: how often it may fail; None is as its function has it.
        tags, meta: what it carries.
        unique: when it counts as a job that is there already; None is not said, False is never.
        session: the SQLAlchemy session in whose transaction it is enqueued; None is in none.
        ledger: when its row is written; None is as its pool's ledger has it.
        row: values of its row's columns.
        triggered_by: who asked for it.
        parent: the id of the job that asked for it; None is the one that runs, if one does.
    """

    delay_ms: int | None = None
    at_ms: int | None = None
    queue: str | None = None
    job_id: str | None = None
    priority: int | None = None
    expires_ms: int | None = None
    first_try: int | None = None
    max_attempts: int | None = None
    tags: tuple[str, ...] | None = None
    meta: dict[str, Any] | None = None
    unique: UniqueOption = None
    session: Any = None
    ledger: LedgerMode | None = None
    row: dict[str, Any] | None = None
    triggered_by: str | None = None
    parent: str | None = None

    @property
    def concerns_rows(self) -> bool:
        """Whether something is said that only a ledger can do."""
        return self.session is not None or self.ledger is not None or self.row is not None


PLAIN = Options()


def told_of_askers(options: Options) -> dict[str, Any]:
    """Tell what an envelope says of who asked: a name, the job that did so or the running one, and traces."""
    told: dict[str, Any] = {} if options.triggered_by is None else {"by": options.triggered_by}
    if tracing.tracers and (carried := tracing.carried()):
        told[tracing.CARRIED] = carried
    if options.parent is not None:
        told["pa"] = options.parent
    elif (job := running_job.get()) is not None:
        told["pa"] = job.job_id
    return told


def checked(**given: Unpack[JobOptions]) -> Options:
    """Check the options of a job.

    Raises:
        ConfigurationError: one of them is unknown or cannot work.
    """
    unknown = given.keys() - JobOptions.__annotations__.keys()
    if unknown:
        raise ConfigurationError(_no_such_option(min(unknown)))
    delay, at, queue = given.get("delay"), given.get("at"), given.get("queue")
    job_id, expires, first_try = given.get("job_id"), given.get("expires"), given.get("first_try")
    if delay is not None and at is not None:
        raise ConfigurationError("use either delay or at or neither, not both")
    if (
        delay is not None
        and expires is not None
        and checks.seconds("delay", delay) >= checks.seconds("expires", expires)
    ):
        raise ConfigurationError(
            f"a job that waits {delay!r} and expires after {expires!r} would never run; both count from now"
        )
    max_attempts, tags, meta = given.get("max_attempts"), given.get("tags"), given.get("meta")
    priority = given.get("priority")
    if queue is not None:
        checks.instance("queue", queue, str, "a text")
        if not queue:
            raise ConfigurationError("queue must not be empty; None is the pool's default")
    return Options(
        None if delay is None else to_ms(checks.seconds("delay", delay)),
        None if at is None else checks.moment_ms("at", at),
        queue,
        None if job_id is None else checks.job_id(job_id),
        None if priority is None else checks.priority("priority", priority),
        None if expires is None else to_ms(checks.time_limit("expires", expires)),
        None if first_try is None else checks.count("first_try", first_try, 1),
        None if max_attempts is None else checks.count("max_attempts", max_attempts, 1),
        None if tags is None else checks.tags(tags),
        None if meta is None else checks.meta(meta),
        unique_option(given.get("unique")),
        None if given.get("session") is None else _session(given["session"]),
        None if given.get("ledger") is None else _ledger_mode(given["ledger"]),
        None if given.get("row") is None else _row(given["row"]),
        None if given.get("triggered_by") is None else _name("triggered_by", given["triggered_by"]),
        None if given.get("parent") is None else checks.job_id(given["parent"]),
    )


def merged(own: Options, common: Options) -> Options:
    """Add to some options what only the common ones say; a moment of one's own replaces a delay.

    Raises:
        ConfigurationError: what they say of `unique` does not go together.
    """
    if own == PLAIN:
        return common
    if own.delay_ms is not None or own.at_ms is not None:
        common = common._replace(delay_ms=None, at_ms=None)
    both = Options._make(shared if mine is None else mine for mine, shared in zip(own, common, strict=True))
    if own.unique is None or common.unique is None:
        return both
    return both._replace(unique=merged_unique(own.unique, common.unique))


def options_of_arq(
    job_id: str | None,
    queue: str | None,
    defer_until: datetime | None,
    defer_by: SecondsTimedelta | None,
    expires: SecondsTimedelta | None,
    job_try: int | None,
) -> Options:
    """Check the options of a job as arq's `enqueue_job` takes them: 0 and '' are as good as None.

    Raises:
        RuntimeError: it is deferred twice.
        ConfigurationError: one of them cannot work.
    """
    if defer_until and defer_by:
        raise RuntimeError("use either 'defer_until' or 'defer_by' or neither, not both")
    if queue is not None:
        checks.instance("_queue_name", queue, str, "a text")
    return Options(
        to_ms(checks.seconds("_defer_by", defer_by)) if defer_by else None,
        None if defer_until is None else checks.moment_ms("_defer_until", defer_until),
        queue or None,
        checks.job_id(job_id) if job_id else None,
        None,
        to_ms(checks.seconds("_expires", expires)) if expires else None,
        None if job_try is None else checks.count("_job_try", job_try, 1),
    )


def slip_of_arq(name: str) -> str:
    """Say what is meant by an argument of `enqueue_job` that looks like an option; empty when it does not."""
    if not name.startswith("_") or name.startswith("__"):
        return ""
    near = difflib.get_close_matches(name, OPTIONS_OF_ARQ, 1, _NEARLY)
    if near:
        return f"did you mean {near[0]}?"
    plain = name[1:]
    option = plain if plain in JobOptions.__annotations__ else _WORDS_OF_OTHERS.get(plain)
    if option is None:
        return ""
    arq = next((ours for ours, theirs in OPTIONS_OF_ARQ.items() if theirs == option), None)
    return f"did you mean {arq}?" if arq else f"say pool.options({option}=...).enqueue(...)"


def _session(value: Any) -> Any:
    """Take a session, or a registry that has one per task or thread; nothing of SQLAlchemy is imported."""
    is_thing = not isinstance(value, type) and hasattr(value, "begin_nested")
    if is_thing and hasattr(value, "add") and hasattr(value, "execute"):
        return value
    hint = ""
    if is_thing:
        hint = "; a connection goes into one, AsyncSession(bind=connection)"
    elif callable(value):
        hint = "; that makes them, say one of its own"
    raise ConfigurationError(
        f"session must be an AsyncSession or a Session of SQLAlchemy, got {value!r}{hint}"
    )


def _ledger_mode(value: Any) -> LedgerMode:
    if value not in ("behind", "strict"):
        raise ConfigurationError(f'ledger of a job is "behind" or "strict", got {value!r}')
    return cast("LedgerMode", value)


def _row(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f'row must be a dict of columns, as {{"user_id": 7}}, got {value!r}')
    return dict(value)


def _name(option: str, value: Any) -> str:
    checks.instance(option, value, str, "a text")
    if not value or "\0" in value:
        raise ConfigurationError(f"{option} must be a text of at least one character, none of them NUL")
    return str(value)


def _no_such_option(name: str) -> str:
    known = list(JobOptions.__annotations__)
    meant = _WORDS_OF_OTHERS.get(name.strip("_")) or next(
        iter(difflib.get_close_matches(name, known, 1)), None
    )
    hint = f", did you mean {meant!r}" if meant else ""
    return f"there is no option {name!r} of a job{hint}; there are {', '.join(known)}"


_WORDS_OF_OTHERS = {
    **dict.fromkeys(("schedule_in", "scheduled_in", "defer_by", "countdown", "in"), "delay"),
    **dict.fromkeys(("schedule_at", "scheduled_at", "defer_until", "eta"), "at"),
    **dict.fromkeys(("max_tries", "max_retries"), "max_attempts"),
    **dict.fromkeys(("queue_name", "worker_queue"), "queue"),
    **dict.fromkeys(("id", "task_id"), "job_id"),
    **dict.fromkeys(("db", "db_session", "transaction"), "session"),
    **dict.fromkeys(("by", "actor"), "triggered_by"),
    "parent_id": "parent",
    "job_try": "first_try",
}

OPTIONS_OF_ARQ = {
    "_job_id": "job_id",
    "_queue_name": "queue",
    "_defer_until": "at",
    "_defer_by": "delay",
    "_expires": "expires",
    "_job_try": "first_try",
}
