"""Each fault gives its trouble and no other; what is healthy gives none."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from arqlite.console import Trouble
from arqlite.console.checkup import (
    all_troubles,
    ledger_troubles,
    queue_troubles,
    server_troubles,
    worst_first,
)
from arqlite.console.facts import LedgerFacts, QueueFacts, ServerFacts
from arqlite.console.views import LedgerInfo, QueueState, ServerInfo, WorkerInfo

WORKER = WorkerInfo(
    queue="mail", session="s", node="web-1", pid=7, version="1.0", limit=10, leads=True,
    functions=("send",), function_count=1,
)  # fmt: skip
STATE = QueueState(key="mail", name="mail", server="localhost:6379/0", available=3, workers=(WORKER,))
QUEUE = QueueFacts(
    state=STATE, cron_jobs=1, waiting_functions=("send",), completion_wait=60, longest_timeout=60,
    longest_function="send",
)  # fmt: skip
SERVER = ServerFacts(
    info=ServerInfo(
        server="localhost:6379", product="Valkey", version="9.1.2", role="master", memory=10, most_memory=100,
        policy="noeviction", persistence="aof",
    ),
    redis_version=(7, 2), most_clients=10_000, pool_size=10, skew=timedelta(milliseconds=900),
)  # fmt: skip
LEDGER = LedgerFacts(
    info=LedgerInfo(url="postgresql://host/jobs", dialect="postgresql"), skew=timedelta(milliseconds=-900),
    most_clients=100, pool_size=15,
)  # fmt: skip


def state(**changes: Any) -> QueueFacts:
    return replace(QUEUE, state=replace(STATE, **changes))


def worker(**changes: Any) -> WorkerInfo:
    return replace(WORKER, **changes)


def server(**changes: Any) -> ServerFacts:
    return replace(SERVER, info=replace(SERVER.info, **changes))


QUEUE_FAULTS = [
    (state(error="gone"), "error", "redis-away", "at localhost:6379/0 cannot be asked: gone"),
    (replace(state(workers=()), cron_jobs=0), "error", "no-worker", "has 3 jobs that could start"),
    (
        replace(state(available=0, executing=1, workers=()), cron_jobs=0),
        "error",
        "no-worker",
        "has 1 job of workers that are gone",
    ),
    (state(is_paused=True), "warning", "queue-paused", "is paused, and 3 jobs wait"),
    (state(is_paused=True, available=0), "info", "queue-paused", "is paused"),
    (state(workers=(worker(is_paused=True),)), "warning", "workers-paused", "all of its workers are paused"),
    (state(workers=(worker(leads=False),)), "error", "no-leader", "has 1 cron job, and no worker leads"),
    (replace(state(workers=(), available=0), cron_jobs=2), "error", "no-leader", "has 2 cron jobs"),
    (state(workers=(WORKER, worker(version="0.9"))), "warning", "worker-versions", "0.9, 1.0"),
    (state(workers=(WORKER, worker(version=""))), "warning", "worker-versions", "an older one"),
    (replace(QUEUE, waiting_functions=("send", "sned")), "warning", "unknown-function", "wait in it: sned"),
    (replace(QUEUE, lag=timedelta(seconds=6)), "warning", "ledger-lag", "are 6.0 s behind"),
    (replace(QUEUE, longest_timeout=300), "info", "short-grace", "and send may run 300 s"),
    (replace(QUEUE, longest_timeout=math.inf), "info", "short-grace", "send may run for ever"),
    (replace(QUEUE, settings_fault="max_jobs must be at least 1, got 0"), "error", "bad-settings", "got 0"),
]  # fmt: skip
SERVER_FAULTS = [
    (server(policy="allkeys-lru"), "error", "eviction-policy", "when its memory is full (allkeys-lru)"),
    (server(persistence="none"), "warning", "no-persistence", "keeps nothing on disk"),
    (replace(SERVER, redis_version=(6, 0)), "error", "redis-old", "arqlite needs Redis 6.2"),
    (server(role="replica"), "error", "redis-replica", "is a replica and takes no jobs"),
    (server(memory=95), "warning", "memory-full", "uses 95% of the memory"),
    (replace(SERVER, missing_rights=("+info",), user="arq"), "error", "missing-right", "may not +info"),
    (replace(SERVER, skew=timedelta(seconds=-3)), "warning", "clock-skew", "is 3.0 s behind of this host"),
    (replace(SERVER, skew=timedelta(seconds=2)), "warning", "clock-skew", "is 2.0 s ahead of this host"),
    (replace(SERVER, pool_size=10_001), "warning", "pool-size", "may open 10001 connections"),
]  # fmt: skip
PRODUCTION_FAULTS = [
    (replace(SERVER, is_embedded=True), "error", "embedded-server", "is the embedded one"),
    (replace(SERVER, is_public=True), "error", "no-tls", "has a public address"),
]
LEDGER_FAULTS = [
    (replace(LEDGER, info=replace(LEDGER.info, error="refused")), "error", "ledger-away", "does not answer"),
    (replace(LEDGER, tables="they are missing"), "error", "ledger-migrations", "cannot be used: they are"),
    (replace(LEDGER, skew=timedelta(seconds=5)), "warning", "clock-skew", "the clock of the database"),
    (replace(LEDGER, pool_size=101), "warning", "pool-size", "may open 101 connections to the database"),
]


def test_what_is_healthy_gives_no_trouble() -> None:
    """Nothing is said of queues, servers and ledgers as they should be, in production neither."""
    assert all_troubles([QUEUE], [SERVER], [LEDGER], production=True) == []


@pytest.mark.parametrize(("facts", "severity", "code", "words"), QUEUE_FAULTS)
def test_fault_of_a_queue(facts: QueueFacts, severity: str, code: str, words: str) -> None:
    """What is wrong with a queue is one trouble, of that queue, with something to do about it."""
    [trouble] = queue_troubles(facts)

    assert (trouble.severity, trouble.code, trouble.queue) == (severity, code, "mail")
    assert words in trouble.text
    assert trouble.fix.endswith(".")


def test_embedded_server_that_is_away_is_started_by_its_project() -> None:
    """Nobody starts the embedded server by hand: what runs it is named."""
    [trouble] = queue_troubles(replace(state(error="gone"), is_embedded=True))

    assert trouble.code == "redis-away"
    assert "arqlite dev" in trouble.fix


@pytest.mark.parametrize(("facts", "severity", "code", "words"), SERVER_FAULTS)
def test_fault_of_a_server(facts: ServerFacts, severity: str, code: str, words: str) -> None:
    """What is wrong with a Redis is one trouble that names it, with something to do about it."""
    [trouble] = server_troubles(facts)

    assert (trouble.severity, trouble.code) == (severity, code)
    assert words in trouble.text
    assert "localhost:6379" in trouble.text
    assert trouble.fix.endswith(".")


def test_redis_without_a_disk_is_no_worry_where_the_ledger_has_all() -> None:
    """A ledger puts the jobs back; for production it is still told, for that takes its time."""
    facts = server(persistence="none")

    [calm] = server_troubles(facts, has_rows=True)
    [worried] = server_troubles(facts, has_rows=True, production=True)

    assert (calm.severity, worried.severity) == ("info", "warning")
    assert "the ledger puts the jobs back" in calm.text


def test_ledger_that_is_there_is_no_advice() -> None:
    """Where all queues have a ledger nobody is told that jobs are lost, or to use one."""
    [worried] = server_troubles(server(persistence="none"), has_rows=True, production=True)

    assert "the ledger puts the jobs back" in worried.text
    assert "use a ledger" not in worried.fix


@pytest.mark.parametrize(("facts", "severity", "code", "words"), PRODUCTION_FAULTS)
def test_fault_in_production(facts: ServerFacts, severity: str, code: str, words: str) -> None:
    """What is fine while developing is said where it matters."""
    assert list(server_troubles(facts)) == []

    [trouble] = server_troubles(facts, production=True)

    assert (trouble.severity, trouble.code) == (severity, code)
    assert words in trouble.text


@pytest.mark.parametrize(("facts", "severity", "code", "words"), LEDGER_FAULTS)
def test_fault_of_a_ledger(facts: LedgerFacts, severity: str, code: str, words: str) -> None:
    """What is wrong with a ledger is one trouble that names it, with something to do about it."""
    [trouble] = ledger_troubles(facts)

    assert (trouble.severity, trouble.code) == (severity, code)
    assert words in trouble.text
    assert "postgresql://host/jobs" in trouble.text
    assert trouble.fix.endswith(".")


def test_short_grace_weighs_more_in_production() -> None:
    """To cut jobs short at each deployment is a warning where deployments happen."""
    [trouble] = queue_troubles(replace(QUEUE, longest_timeout=300), production=True)

    assert trouble.severity == "warning"


@pytest.mark.parametrize(
    "facts",
    [
        replace(state(workers=(worker(functions=(), function_count=0),)), waiting_functions=("other",)),
        replace(state(workers=(worker(function_count=500),)), waiting_functions=("other",)),
        replace(QUEUE, completion_wait=None, longest_timeout=math.inf),
        state(available=0, workers=(WORKER, worker(leads=False, is_paused=True))),
    ],
)
def test_what_nobody_can_know_is_no_trouble(facts: QueueFacts) -> None:
    """Workers that do not tell all of their functions, and settings that are not known, say nothing."""
    assert list(queue_troubles(facts)) == []


def test_what_a_server_does_not_tell_is_no_trouble() -> None:
    """A managed server that refuses INFO is not suspected of anything."""
    facts = ServerFacts(info=ServerInfo(server="managed:6379"))

    assert list(server_troubles(facts, production=True)) == []


def test_silent_server_is_told_once() -> None:
    """That a server does not answer is said of its queues, and not of itself once more."""
    assert list(server_troubles(server(error="gone", policy="allkeys-lru"))) == []


def test_each_missing_right_is_named() -> None:
    """Every right that is missing is a trouble, with the command that grants it."""
    found = list(server_troubles(replace(SERVER, missing_rights=("&aq:*", "+info"), user="jobs")))

    assert [trouble.fix for trouble in found] == [
        "grant it: `ACL SETUSER jobs &aq:*`.", "grant it: `ACL SETUSER jobs +info`.",
    ]  # fmt: skip


def test_worst_comes_first_and_once() -> None:
    """Troubles are ordered by how bad they are, and what two queues have in common is said once."""
    bad, middling, mild = (
        Trouble(severity, "z", "text")
        for severity in ("error", "warning", "info")  # type: ignore[arg-type]
    )

    assert worst_first([mild, bad, middling, bad]) == [bad, middling, mild]
