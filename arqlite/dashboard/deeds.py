"""What can be done, whoever asks for it: the same for forms and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from redis.exceptions import RedisError

from ..console import BULK_LIMIT, AskedToEnd, Console, Done, Query, Tally, Trouble
from ..console.asking import redis_away
from ..console.bulk import feasible
from ..console.knowledge import states_meant
from ..console.links import in_words
from ..errors import ConfigurationError
from ..model.limits import GlobalLimit, RateLimit
from ..model.query import Term
from ..model.terms import MOST_VALUES, has_glob
from ..model.verbs import MEANT_BY, Verb, is_narrowed, narrowed
from .amounts import limit_of, rate_of

JOB_NEEDS: Final = {"retry": "jobs.retry", "cancel": "jobs.cancel", "delete": "jobs.delete"}
QUEUE_NEEDS: Final = {
    "pause": "queues.pause",
    "resume": "queues.pause",
    "scale": "queues.scale",
    "purge": "queues.purge",
    "stop": "workers.stop",
}
CRON_NEEDS: Final = {"run": "crons.run", "pause": "crons.pause", "resume": "crons.pause"}

MANY: Final = 50
"""To more jobs than these something is done only when it was typed what."""

_WHY_ON: Final = "a worker with allow_abort_jobs=False cancels only tasks while they run"

_DONE: Final = {"retry": "Retried", "cancel": "Cancelled", "delete": "Deleted"}


@dataclass(frozen=True, slots=True)
class Deed:
    """What became of something that was asked for.

    Attributes:
        text: it in a sentence.
        matched: how many jobs were meant; 0 where it is not about jobs.
        done: to how many it was done; of a cancellation how many are over by it.
        asked: of a cancellation, how many run, so that their workers were asked to end them.
        runs_on: of these, how many are known to run on: their workers have `allow_abort_jobs=False`.
        is_all: whether no more are left that are meant; False, too, where something could not be asked.
        job_id: the id of a job that was made; empty for none.
        troubles: what could not be asked, so that it was done to the jobs of the others only.
    """

    text: str
    matched: int = 0
    done: int = 0
    is_all: bool = True
    job_id: str = ""
    troubles: Sequence[Trouble] = ()
    asked: int = 0
    runs_on: int = 0


class NotConfirmed(Exception):
    """Much would be done, and nobody has typed that it is meant.

    Attributes:
        title: what would be done, in a few words: "Delete 214 jobs".
        text: what that means.
        expected: what has to be typed.
    """

    def __init__(self, title: str, text: str, expected: str) -> None:
        self.title = title
        self.text = text
        self.expected = expected
        super().__init__(title)


class _Act(Protocol):
    """Does something to the jobs that a query means, to so many at most."""

    async def __call__(self, query: Query, *, limit: int) -> Done: ...


def verb_of(word: str) -> Verb:
    """A verb of jobs by its name; which ones there are is checked with the rights, see `JOB_NEEDS`."""
    return next(verb for verb in MEANT_BY if verb == word)


def states_in_words(verb: Verb, query: Query) -> str:
    """The states in which a verb means jobs of a query, as `discarded or cancelled`; empty where it says so
    itself.
    """
    if not is_narrowed(verb, query):
        return ""
    meant = states_meant(narrowed(verb, query).terms) or ()
    told = [str(state) for state in MEANT_BY[verb] if state in meant]
    return " or ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)


def one_job(queue: str, job_id: str) -> Query:
    """The query that means one job, in whatever state it is."""
    return _named(queue, (job_id,))


def some_jobs(jobs: Sequence[tuple[str, str]]) -> Sequence[Query]:
    """The queries that mean these jobs, given by queue and id: of one queue each."""
    by_queue: dict[str, list[str]] = {}
    for queue, job_id in jobs:
        by_queue.setdefault(queue, []).append(job_id)
    return [
        _named(queue, tuple(ids[begin : begin + MOST_VALUES]))
        for queue, ids in by_queue.items()
        for begin in range(0, len(ids), MOST_VALUES)
    ]


def _named(queue: str, ids: Sequence[str]) -> Query:
    terms = (Term("queue", (queue,)), Term("id", ids))
    # An id that looks like a pattern names no job, and so nobody would have said in which states.
    return Query((*terms, Term("state", ("all",))) if any(map(has_glob, ids)) else terms)


async def do_to_job(console: Console, verb: Verb, queue: str, job_id: str) -> Deed:
    """Retry, cancel or delete one job.

    Raises:
        ConfigurationError: its id means others, too.
    """
    await _must_mean_single_jobs(console, [(queue, job_id)])
    done = await _verb(console, verb)(one_job(queue, job_id), limit=1)
    if done.asked:
        return _told(console, verb, [done])
    if done.done:
        has_row = verb == "delete" and any(place.key == queue and place.ledger for place in console.places)
        rest = " from Redis; its row stays until it is pruned" if has_row else ""
        return Deed(f"{_DONE[verb]} job {job_id}{rest}.", done.matched, done.done)
    if why := await _why_not(console, verb, queue, job_id):
        return Deed(why, matched=1)
    return Deed(f"There is no job {job_id}.")


async def _why_not(console: Console, verb: Verb, queue: str, job_id: str) -> str:
    """Why something was not done to a job that there is; empty where there is none."""
    try:
        found = await console.job(job_id, queue)
    except ConfigurationError:  # it can be the id of none
        return ""
    if found is None:
        return ""
    if found.sources != {"ledger"}:
        return f"Job {job_id} is in no state in which one can {verb} it."
    only = f"Of job {job_id} only its row is left"
    if verb == "delete":
        return f"{only}, which stays until it is pruned."
    if verb == "retry":
        return f"{only}, of which it cannot be made anew."
    return f"{only}: in Redis is nothing to cancel."


async def do_to_selection(
    console: Console, verb: Verb, jobs: Sequence[tuple[str, str]], *, confirm: str, limit: int
) -> Deed:
    """Retry, cancel or delete these jobs, given by queue and id.

    Raises:
        ConfigurationError: none was chosen, or too many were, or an id means others, too.
        NotConfirmed: they are many, and `confirm` is neither how many nor the verb.
        RedisError, OSError: no Redis of their queues answers.
    """
    chosen = list(dict.fromkeys(jobs))
    if not chosen:
        raise ConfigurationError("no job was chosen")
    if len(chosen) > limit:
        raise ConfigurationError(f"at most {limit} jobs can be chosen at once, got {len(chosen)}")
    _must_be_confirmed(verb, Tally(len(chosen)), confirm)
    await _must_mean_single_jobs(console, chosen)
    act = _verb(console, verb)
    servers = {place.key: place.server for place in console.places}
    parts: list[Done] = []
    silent: list[Exception] = []
    for query in some_jobs(chosen):
        try:
            parts.append(await act(query, limit=len(query.get("id"))))
        except (RedisError, OSError) as error:
            [key] = query.get("queue")
            silent.append(error)
            parts.append(Done(0, 0, is_all=False, troubles=(redis_away(key, servers[key], in_words(error)),)))
    if len(silent) == len(parts):
        raise silent[0]
    return _told(console, verb, parts)


async def do_to_matching(console: Console, verb: Verb, query: Query, *, confirm: str, limit: int) -> Deed:
    """Retry, cancel or delete all jobs that a query means, see `model.verbs.narrowed`.

    Raises:
        ConfigurationError: the query means all jobs there are, or more than may be meant at once.
        NotConfirmed: they are many, and `confirm` is neither how many nor the verb; or nobody knows how many
            they are, and it is not the verb.
    """
    if not query:
        raise ConfigurationError("say which jobs are meant: queue:NAME means all of a queue")
    states = states_in_words(verb, query)
    counted = feasible(verb, narrowed(verb, query))
    meant = Tally(0) if counted is None else await console.count(counted)
    if meant.value > limit and limit < BULK_LIMIT:
        raise ConfigurationError(
            f"that means {_in_words(meant)} jobs, and at most {limit:,} may be meant at once: "
            "say more closely which"
        )
    _must_be_confirmed(verb, meant, confirm, f": those that are {states}" if states else "")
    # Jobs come while they are counted: what nobody has typed is done to no more than needs no typing.
    left = limit if _needs_words(meant) else min(limit, MANY)
    parts: list[Done] = []
    while True:
        part = await _verb(console, verb)(query, limit=min(left, BULK_LIMIT))
        parts.append(part)
        left -= part.matched
        # A part that changed nothing would be found again, and again.
        if part.is_all or not part.done or left <= 0:
            told = _told(console, verb, parts)
            if not states:
                return told
            why = f"The query names no state: only those that are {states} were meant."
            return replace(told, text=f"{told.text} {why}")


async def do_to_queue(console: Console, verb: str, key: str, said: Mapping[str, str]) -> Deed:
    """Pause, resume, scale, purge a queue or stop its workers.

    Args:
        console: acts.
        verb: one of `QUEUE_NEEDS`.
        key: of the queue.
        said: `node`; for `scale` `limit`, `global_limit` and `rate`, see `amounts`; for `purge` `confirm`.

    Raises:
        ConfigurationError: a value cannot be.
        NotConfirmed: a queue would be purged, and `confirm` is not its key.
    """
    node = said.get("node", "").strip() or None
    where = f" on {node}" if node else ""
    match verb:
        case "pause":
            await console.pause(key, node=node)
            return Deed(f"Paused {key}{where}.")
        case "resume":
            await console.resume(key, node=node)
            return Deed(f"Resumed {key}{where}.")
        case "stop":
            await console.stop_workers(key, node=node)
            return Deed(
                f"Told the workers of {key}{where} to end: what runs has their job_completion_wait, "
                "and goes back to the queue if it has not ended by then."
            )
        case "scale":
            await console.scale(key, node=node, **await _limits(console, key, said))
            return Deed(f"Changed the limits of {key}{where}.")
        case "purge":
            return await _purge(console, key, said.get("confirm", ""))
    raise ValueError(verb)


async def do_to_cron(console: Console, verb: str, key: str, name: str) -> Deed:
    """Run, pause or resume a cron job."""
    match verb:
        case "run":
            job = await console.run_cron(key, name)
            return Deed(f"Enqueued {name} as job {job.job_id}.", job_id=job.job_id)
        case "pause":
            changed = await console.pause_cron(key, name)
            return Deed(f"Paused {name}." if changed else f"{name} was paused already.")
        case "resume":
            changed = await console.resume_cron(key, name)
            return Deed(f"Resumed {name}." if changed else f"{name} was not paused.")
    raise ValueError(verb)


async def _purge(console: Console, key: str, confirm: str) -> Deed:
    if confirm.strip() != key:
        queue = await console.queue(key)
        waiting = queue.available + queue.scheduled + queue.retryable + queue.suspended
        raise NotConfirmed(f"Purge {key}", f"That cancels the {waiting:,} jobs that wait in it.", key)
    done = await console.purge(key)
    rest = "" if done.is_all else " More are left: purge once more."
    return Deed(f"Cancelled {_jobs(done.done)} of {key}.{rest}", done.matched, done.done, done.is_all)


async def _limits(console: Console, key: str, said: Mapping[str, str]) -> dict[str, Any]:
    """Read the limits that a form or a program has told."""
    limits: dict[str, Any] = {}
    if said.get("limit", "").strip():
        limits["limit"] = limit_of("limit", said["limit"], may_be_endless=False)
    if not (said.get("global_limit", "").strip() or said.get("rate", "").strip()):
        return limits
    now = await console.queue(key)
    if said.get("global_limit", "").strip():
        allowed = limit_of("global_limit", said["global_limit"])
        by = now.global_limit.partition_by if now.global_limit else None
        limits["global_limit"] = GlobalLimit(allowed, by) if isinstance(allowed, int) else allowed
    if said.get("rate", "").strip():
        rate = rate_of(said["rate"])
        by = now.rate_limit.partition_by if now.rate_limit else None
        limits["rate_limit"] = RateLimit(*rate, by) if isinstance(rate, tuple) else rate
    return limits


async def _must_mean_single_jobs(console: Console, jobs: Sequence[tuple[str, str]]) -> None:
    """Refuse ids that a query takes for patterns: who names a job `*` must not have all others deleted."""
    for queue, job_id in jobs:
        if "*" not in job_id:
            continue
        meant = await console.count(one_job(queue, job_id))
        if meant.value > 1 or meant.precision != "exact":
            may = "means" if meant.value > 1 else "may mean"
            raise ConfigurationError(f"the id {job_id!r} {may} other jobs, too: nothing was done")


def _verb(console: Console, verb: Verb) -> _Act:
    return {"retry": console.retry, "cancel": console.cancel, "delete": console.delete}[verb]


def _must_be_confirmed(verb: str, meant: Tally, confirm: str, which: str = "") -> None:
    """Hold somebody to what they typed: what is to be done, or to how many jobs where that is known."""
    typed = re.sub(r"[\s,.\u00a0\u2009\u202f]", "", confirm).lower()
    if not _needs_words(meant) or typed == verb:
        return
    is_number = typed.isascii() and typed.isdigit() and len(typed) < 12
    is_known = meant.precision == "exact"
    # Jobs come and go while somebody types: a few more than they saw are still what they mean.
    if is_known and is_number and meant.value <= int(typed) * 1.1:
        return
    told = _in_words(meant)
    raise NotConfirmed(
        f"{verb.capitalize()} {told} jobs",
        f"{told} jobs are meant{which}.".capitalize(),
        str(meant.value) if is_known else verb,
    )


def _needs_words(meant: Tally) -> bool:
    """Whether these are so many jobs, or might be, that it must have been typed what is done to them."""
    return meant.value > MANY or meant.precision != "exact"


def _in_words(meant: Tally) -> str:
    return f"{meant.value:,}" if meant.precision == "exact" else f"{meant.precision} {meant.value:,}"


def _told(console: Console, verb: str, parts: Sequence[Done]) -> Deed:
    matched, done = sum(part.matched for part in parts), sum(part.done for part in parts)
    troubles = tuple(dict.fromkeys(trouble for part in parts for trouble in part.troubles))
    is_all = parts[-1].is_all and not troubles
    others = matched - done - sum(len(part.asked) for part in parts)
    # Those that run on are found again by the next part.
    asked = {(one.queue, one.id): one for part in parts for one in part.asked}
    said = [f"{_DONE[verb]} {_jobs(done)}{_not_asked(troubles)}."] if done or troubles or not asked else []
    text = " ".join([*said, *([_asked_to_end(list(asked.values()))] if asked else [])])
    if others > 0:
        text += f" {_jobs(others)} changed meanwhile or are in no state for it."
    # Where something could not be asked, the last part that did nothing tells that the others are through.
    if not is_all and (not troubles or parts[-1].done):
        text += " More are left: do it once more."
    if verb == "delete" and any(place.ledger for place in console.places):
        text += " Rows in a ledger stay until they are pruned."
    runs_on = sum(one.runs_on for one in asked.values())
    return Deed(text, matched, done, is_all, troubles=troubles, asked=len(asked), runs_on=runs_on)


def _asked_to_end(asked: Sequence[AskedToEnd]) -> str:
    """Whose workers were asked to cancel them, and what is known of what these do."""
    runs_on = sum(one.runs_on for one in asked)
    if len(asked) == 1:
        begin = f"Asked the worker of job {asked[0].id}, which runs, to cancel it"
        return f"{begin}. It runs on: {_WHY_ON}." if runs_on else f"{begin}."
    begin = f"Asked the workers of {_jobs(len(asked))} that run to cancel them"
    if not runs_on:
        return f"{begin}."
    return f"{begin}. {f'{runs_on:,} of them run' if runs_on < len(asked) else 'They run'} on: {_WHY_ON}."


def _not_asked(troubles: Sequence[Trouble]) -> str:
    """Whom it was not done to: `; queues mail and pdf could not be asked`."""
    keys = list(dict.fromkeys(one.queue for one in troubles if one.code == "redis-away"))
    told = [f"queue{'s' if len(keys) > 1 else ''} {' and '.join(keys)} could not be asked"] if keys else []
    told += ["a ledger could not be asked"] if any(one.code != "redis-away" for one in troubles) else []
    return "".join(f"; {one}" for one in told)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
