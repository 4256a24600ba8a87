"""What is wrong, or will be: pure functions from facts to troubles.

The System page and `arqlite doctor` tell the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from .facts import LedgerFacts, QueueFacts, ServerFacts
from .views import QueueState, Severity, Trouble

FLOOR = (6, 2)
"""The oldest Redis whose commands the scripts need."""
MOST_LAG = timedelta(seconds=5)
MOST_SKEW = timedelta(seconds=1)
FULL = 0.9
"""A server with so much of its memory in use will soon refuse jobs."""

_NAMED = 5
_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def worst_first(troubles: Iterable[Trouble]) -> list[Trouble]:
    """Each trouble once, the worst first, then by what and where they are."""
    return sorted(
        dict.fromkeys(troubles),
        key=lambda trouble: (_RANK[trouble.severity], trouble.code, trouble.queue, trouble.text),
    )


# -- queues


def queue_troubles(facts: QueueFacts, *, production: bool = False) -> Iterator[Trouble]:
    """What is wrong with a queue and its workers."""
    state = facts.state
    if facts.settings_fault:
        text = f"no worker of queue {state.name} can start with these settings: {facts.settings_fault}"
        yield Trouble("error", "bad-settings", text, "correct them as is said here.", state.key)
    if state.error:
        text = f"the Redis of queue {state.name} at {state.server} cannot be asked: {state.error}"
        fix = "start it, or correct its address, user and password in the settings; jobs wait meanwhile."
        if facts.is_embedded:
            fix = "run `arqlite dev` in its project: it starts this embedded server, with its jobs."
        yield Trouble("error", "redis-away", text, fix, state.key)
        return
    yield from _work(facts)
    yield from _versions(facts)
    yield from _functions(facts)
    yield from _lag(facts)
    yield from _grace(facts, production=production)


def _work(facts: QueueFacts) -> Iterator[Trouble]:
    state = facts.state
    jobs = _counted(state.available, "job")
    if state.is_paused:
        text = f"queue {state.name} is paused, and {jobs} wait in it"
        fix = f"run `arqlite resume {state.key}` when its jobs may start again."
        yield Trouble("warning" if state.available else "info", "queue-paused", text, fix, state.key)
    if state.available and not state.workers:
        text = f"queue {state.name} has {jobs} that could start, and no worker"
        fix = "start a worker of this queue: `arqlite path.to.WorkerSettings`."
        yield Trouble("error", "no-worker", text, fix, state.key)
    elif state.executing and not state.workers:
        # A worker that lives holds its lease for as long as it has jobs.
        held = _counted(state.executing, "job")
        text = f"queue {state.name} has {held} of workers that are gone, and no worker that runs them again"
        fix = "start a worker of this queue: `arqlite path.to.WorkerSettings`; it takes them over."
        yield Trouble("error", "no-worker", text, fix, state.key)
    elif not state.is_paused and state.available and all(one.is_paused for one in state.workers):
        text = f"queue {state.name} has {jobs} that could start, and all of its workers are paused"
        fix = f"resume them by name, or all of them with `arqlite resume {state.key}`."
        yield Trouble("warning", "workers-paused", text, fix, state.key)
    if facts.cron_jobs and not any(one.leads for one in state.workers):
        text = f"queue {state.name} has {_counted(facts.cron_jobs, 'cron job')}, and no worker leads it"
        fix = "start a worker of this queue; if some run, look in their logs for Redis errors."
        yield Trouble("error", "no-leader", text, fix, state.key)


def _versions(facts: QueueFacts) -> Iterator[Trouble]:
    state = facts.state
    versions = sorted({one.version or "an older one" for one in state.workers})
    if len(versions) > 1:
        text = (
            f"the workers of queue {state.name} are of different versions of arqlite: {', '.join(versions)}"
        )
        fix = "finish the deployment, so that all of them run the same version."
        yield Trouble("warning", "worker-versions", text, fix, state.key)


def _functions(facts: QueueFacts) -> Iterator[Trouble]:
    """Jobs wait for a function; of workers that do not tell all of theirs nothing can be said."""
    workers = facts.state.workers
    if not workers or any(one.function_count != len(one.functions) or not one.functions for one in workers):
        return
    known = {name for one in workers for name in one.functions}
    unknown = sorted(set(facts.waiting_functions) - known)
    if unknown:
        shown = ", ".join(unknown[:_NAMED]) + (", ..." if len(unknown) > _NAMED else "")
        text = f"jobs of functions that no worker of queue {facts.state.name} knows wait in it: {shown}"
        fix = "start a worker that has them in `functions`, or cancel the jobs."
        yield Trouble("warning", "unknown-function", text, fix, facts.state.key)


def _lag(facts: QueueFacts) -> Iterator[Trouble]:
    if facts.lag > MOST_LAG:
        text = f"the ledger's rows of queue {facts.state.name} are {_seconds(facts.lag)} behind"
        fix = "look whether the database is slow, locked or full; rows follow by themselves when it answers."
        yield Trouble("warning", "ledger-lag", text, fix, facts.state.key)


def _grace(facts: QueueFacts, *, production: bool) -> Iterator[Trouble]:
    if facts.completion_wait is None or facts.completion_wait >= facts.longest_timeout:
        return
    may = "for ever" if math.isinf(facts.longest_timeout) else f"{facts.longest_timeout:g} s"
    text = (
        f"a worker of queue {facts.state.name} that is told to end waits {facts.completion_wait:g} s for its "
        f"jobs, and {facts.longest_function} may run {may}"
    )
    fix = "set `job_completion_wait` to the longest timeout, or see that long jobs can run once more."
    yield Trouble("warning" if production else "info", "short-grace", text, fix, facts.state.key)


# -- Redis


def server_troubles(
    facts: ServerFacts, *, production: bool = False, has_rows: bool = False
) -> Iterator[Trouble]:
    """What is wrong with a Redis server. That it does not answer at all its queues tell.

    Args:
        facts: about it.
        production: whether it should be fit for that.
        has_rows: whether all of its queues have a ledger, which gives it back what it loses.
    """
    info = facts.info
    if info.error:
        return
    if info.policy not in ("", "noeviction"):
        text = f"Redis at {info.server} throws keys away when its memory is full ({info.policy})"
        fix = "set `maxmemory-policy noeviction`, or jobs vanish without a trace."
        yield Trouble("error", "eviction-policy", text, fix)
    if info.persistence == "none":
        yield _nothing_on_disk(info.server, production=production, has_rows=has_rows)
    if facts.redis_version and facts.redis_version < FLOOR:
        floor = ".".join(map(str, FLOOR))
        text = (
            f"the server at {info.server} is {info.product} {info.version}, and arqlite needs Redis {floor}"
        )
        yield Trouble("error", "redis-old", text, f"upgrade it to Redis {floor} or later, or to any Valkey.")
    if info.role not in ("", "master"):
        text = f"the server at {info.server} is a {info.role} and takes no jobs"
        fix = "name the primary in the settings, or its sentinels."
        yield Trouble("error", "redis-replica", text, fix)
    if info.most_memory and info.memory > FULL * info.most_memory:
        share = info.memory / info.most_memory
        text = f"Redis at {info.server} uses {share:.0%} of the memory it may have"
        fix = (
            "raise `maxmemory`, or keep results for a shorter time; when it is full, no job can be enqueued."
        )
        yield Trouble("warning", "memory-full", text, fix)
    for right in facts.missing_rights:
        text = f"the user of Redis at {info.server} may not {right}"
        fix = f"grant it: `ACL SETUSER {facts.user or 'default'} {right}`."
        yield Trouble("error", "missing-right", text, fix)
    yield from _skew(facts.skew, f"Redis at {info.server}")
    if facts.most_clients and facts.pool_size > facts.most_clients:
        text = (
            f"a pool may open {facts.pool_size} connections to Redis at {info.server}, which takes "
            f"{facts.most_clients} of all clients together"
        )
        fix = "lower `max_connections` in the settings, or raise `maxclients` of the server."
        yield Trouble("warning", "pool-size", text, fix)
    if production:
        yield from _not_for_production(facts)


def _not_for_production(facts: ServerFacts) -> Iterator[Trouble]:
    server = facts.info.server
    if facts.is_embedded:
        text = f"the server at {server} is the embedded one, for development"
        fix = "run a Valkey or Redis of its own, and name it in `redis_settings`."
        yield Trouble("error", "embedded-server", text, fix)
    if facts.is_public and not facts.has_tls:
        text = f"Redis at {server} has a public address, and nothing is encrypted on the way"
        fix = "use `rediss://` (TLS), or an address of a private network."
        yield Trouble("error", "no-tls", text, fix)


# -- ledgers


def ledger_troubles(facts: LedgerFacts) -> Iterator[Trouble]:
    """What is wrong with a ledger."""
    info = facts.info
    if info.error:
        text = f"the ledger at {info.url} does not answer: {info.error}"
        fix = "start the database, or correct its URL; jobs go on, and their rows follow."
        yield Trouble("error", "ledger-away", text, fix)
        return
    if facts.tables:
        text = f"the ledger at {info.url} cannot be used: {facts.tables}"
        yield Trouble("error", "ledger-migrations", text, "run `arqlite db upgrade`, or what is said here.")
    yield from _skew(facts.skew, f"the database at {info.url}")
    if facts.most_clients and facts.pool_size > facts.most_clients:
        text = (
            f"a pool may open {facts.pool_size} connections to the database at {info.url}, which takes "
            f"{facts.most_clients} of all clients together"
        )
        fix = "lower `pool_size` and `max_overflow` of the engine, or raise `max_connections` of the server."
        yield Trouble("warning", "pool-size", text, fix)


# -- words


def _nothing_on_disk(server: str, *, production: bool, has_rows: bool) -> Trouble:
    told = f"Redis at {server} keeps nothing on disk"
    if has_rows:
        text = f"{told}: after a restart the ledger puts the jobs back that wait"
        fix = "set `appendonly yes` to be back sooner."
        return Trouble("warning" if production else "info", "no-persistence", text, fix)
    text = f"{told}: a restart loses the jobs that wait"
    fix = "set `appendonly yes`, or use a ledger, which puts them back."
    return Trouble("warning", "no-persistence", text, fix)


def _skew(skew: timedelta | None, whose: str) -> Iterator[Trouble]:
    if skew is None or abs(skew) <= MOST_SKEW:
        return
    way = "behind" if skew < timedelta() else "ahead"
    text = f"the clock of {whose} is {_seconds(abs(skew))} {way} of this host's"
    fix = "keep both in time with NTP: delays, deadlines and the order of jobs depend on it."
    yield Trouble("warning", "clock-skew", text, fix)


def _server(state: QueueState) -> str:
    """The address of a queue's server, without its database."""
    return state.server.rpartition("/")[0]


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.1f} s"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def all_troubles(
    queues: Sequence[QueueFacts],
    servers: Sequence[ServerFacts],
    ledgers: Sequence[LedgerFacts],
    *,
    production: bool = False,
) -> list[Trouble]:
    """What is wrong with all of them together, the worst first."""
    # A queue that cannot be asked for want of rights is no trouble of its own.
    forbidden = {facts.info.server for facts in servers if facts.missing_rights}
    told = [one for one in queues if not (one.state.error and _server(one.state) in forbidden)]
    without_rows = {_server(one.state) for one in queues if not one.state.has_ledger}
    return worst_first(
        [
            *(trouble for facts in told for trouble in queue_troubles(facts, production=production)),
            *(
                trouble
                for facts in servers
                for trouble in server_troubles(
                    facts, production=production, has_rows=facts.info.server not in without_rows
                )
            ),
            *(trouble for facts in ledgers for trouble in ledger_troubles(facts)),
        ]
    )
