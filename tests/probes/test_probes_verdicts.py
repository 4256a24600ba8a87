"""What a probe is told: decided from plain values, a row for each case."""

from __future__ import annotations

from typing import Any

import pytest
from probes_toys import worker_signs

from arqlite.probes.verdicts import Still, live, ready, started


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        ({}, 200, ""),
        ({"is_paused": True}, 200, ""),
        ({"ledger": "ok"}, 200, ""),
        ({"ledger": "degraded"}, 200, ""),
        ({"ledger": "unusable"}, 200, ""),
        ({"is_draining": True}, 503, "mail is draining: the worker ends"),
        ({"has_started": False}, 503, "the worker of mail is starting up"),
        ({"heard_s": 14.9}, 200, ""),
        ({"heard_s": 15.1}, 503, "Redis has not answered the worker of mail for 15 s"),
        ({"heard_s": None}, 503, "Redis has not answered the worker of mail"),
        ({"ledger": "ok", "is_strict": True}, 200, ""),
        (
            {"ledger": "degraded", "is_strict": True},
            503,
            "the ledger of mail is away, and its mode is strict",
        ),
    ],
)
def test_readiness(told: dict[str, Any], status: int, reason: str) -> None:
    """A worker is ready while it claims jobs, or does not because its queue is paused."""
    verdict = ready([worker_signs(**told)])

    assert (verdict.status, verdict.body.get("reasons", [])) == (status, [reason] if reason else [])


@pytest.mark.parametrize(
    ("told", "status", "reason"),
    [
        ({}, 200, ""),
        ({"heard_s": 1000.0}, 200, ""),
        ({"is_draining": True}, 200, ""),
        ({"ledger": "degraded"}, 200, ""),
        (
            {"has_started": False, "has_reached_redis": False},
            503,
            "the worker of mail has not reached Redis yet",
        ),
        ({"has_started": False}, 503, "the worker of mail is starting up"),
        (
            {"has_started": False, "is_strict": True, "ledger": "degraded"},
            503,
            "the worker of mail waits for its ledger",
        ),
        (
            {"ledger": "unusable"},
            503,
            "the tables of the ledger of mail cannot be used: run `arqlite db upgrade`",
        ),
    ],
)
def test_startup(told: dict[str, Any], status: int, reason: str) -> None:
    """A worker has started when it has a lease and no ledger that it cannot use; it stays so."""
    verdict = started([worker_signs(**told)])

    assert (verdict.status, verdict.body.get("reasons", [])) == (status, [reason] if reason else [])


def test_degraded_ledger_is_told() -> None:
    """A ready worker whose ledger is away says so beside its 200."""
    verdict = ready([worker_signs(ledger="degraded"), worker_signs(queue="default", ledger="ok")])

    assert verdict.status == 200
    assert verdict.body["ledger"] == "degraded"
    assert [worker["ledger"] for worker in verdict.body["workers"]] == ["degraded", "ok"]


def test_all_workers_of_a_process_have_to_be_ready() -> None:
    """One worker that drains makes the process unready, and is the one that is named."""
    verdict = ready([worker_signs(), worker_signs(queue="pictures", is_draining=True)])

    assert verdict.status == 503
    assert verdict.body["reasons"] == ["pictures is draining: the worker ends"]
    assert [worker["state"] for worker in verdict.body["workers"]] == ["working", "draining"]


def test_blocked_loop_is_neither_live_nor_ready() -> None:
    """A loop that stands still claims nothing; the answer has its stack."""
    still = [Still(31.2, "  File a.py\n  File b.py")]

    assert live(still).status == ready([worker_signs()], still).status == 503
    assert live(still).body["stacks"] == [["  File a.py", "  File b.py"]]
    assert live(still).body["reasons"] == ["the event loop stands still since 31 s"]


def test_no_worker_is_not_ready() -> None:
    """Where no worker has come yet nothing is ready or started."""
    assert ready([]).status == started([]).status == 503
