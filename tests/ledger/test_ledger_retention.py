"""How long rows stay: which rule holds for which job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from arqlite.errors import ConfigurationError
from arqlite.ledger import JobRow, JobRowMixin, Ledger, LedgerStatus, Retention
from arqlite.ledger.retention import KEEP_JOBS, Sweep

SUCCESS, FAILED, CANCELLED = LedgerStatus.SUCCESS, LedgerStatus.FAILED, LedgerStatus.CANCELLED
DAY = timedelta(days=1)


def age_of(keep: Retention, status: LedgerStatus, queue: str, function: str) -> timedelta | None:
    """How long such a job stays, by the sweeps; no job may be in two of them."""
    ages = [
        sweep.age
        for sweep in keep.sweeps()
        if sweep.status is status
        and (not sweep.functions or function in sweep.functions)
        and (not sweep.queues or queue in sweep.queues)
        and function not in sweep.other_functions
        and queue not in sweep.other_queues
    ]
    assert len(ages) <= 1
    return ages[0] if ages else None


def test_defaults() -> None:
    """By default rows stay for 30 days, those of failures for 90."""
    assert Retention().sweeps() == [
        Sweep(SUCCESS, 30 * DAY),
        Sweep(FAILED, 90 * DAY),
        Sweep(CANCELLED, 30 * DAY),
    ]
    assert Retention().others() == {
        "minutes": 90 * DAY, "spreads": 90 * DAY, "audit": 365 * DAY, "idempotency": DAY,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "queue", "function", "age"),
    [
        (SUCCESS, "web", "work", 7 * DAY),
        (FAILED, "web", "work", None),
        (SUCCESS, "mail", "work", DAY),
        (FAILED, "mail", "work", 2 * DAY),
        (CANCELLED, "mail", "work", 30 * DAY),
        (SUCCESS, "logs", "work", 3 * DAY),
        (FAILED, "logs", "work", 3 * DAY),
        (SUCCESS, "mail", "beat", timedelta(hours=1)),
        (FAILED, "mail", "beat", 2 * DAY),
        (SUCCESS, "logs", "bill", None),
        (CANCELLED, "web", "bill", None),
    ],
)
def test_nearest_rule_holds(status: LedgerStatus, queue: str, function: str, age: timedelta | None) -> None:
    """The rule of a function comes before that of a queue, and that before the state's."""
    keep = Retention(
        success=7 * DAY,
        failed=None,
        queues={"mail": {"success": DAY, "failed": 2 * DAY}, "logs": 3 * 86_400},
        functions={"beat": {"success": 3600}, "bill": None},
    )

    assert age_of(keep, status, queue, function) == age


def test_equal_ages_are_one_sweep() -> None:
    """A hundred functions with the same rule cost as much as one."""
    keep = Retention(functions={f"f{number:03}": DAY for number in range(100)})

    assert len(keep.sweeps()) == 6


def test_what_stays_for_ever_is_in_no_sweep() -> None:
    """None keeps rows for ever."""
    keep = Retention(success=None, failed=None, cancelled=None, minutes=None, audit=None, idempotency=None)

    assert keep.sweeps() == []
    assert keep.others() == {}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"success": 0}, "Retention.success must be at least a minute"),
        ({"failed": "30d"}, "Retention.failed must be seconds, a timedelta, or None for ever, got '30d'"),
        ({"audit": True}, "Retention.audit must be seconds"),
        ({"minutes": float("nan")}, "Retention.minutes must be seconds"),
        ({"queues": ["mail"]}, "Retention.queues must be a dict"),
        ({"queues": {1: 60}}, "Retention.queues must be a dict of ages by name, got the name 1"),
        ({"queues": {"mail": -1}}, r"Retention.queues\['mail'\] must be at least a minute"),
        (
            {"functions": {"f": {"done": 60}}},
            r"Retention.functions\['f'\] has ages for success, failed, cancelled, got 'done'",
        ),
        ({"max_rows": -1}, "Retention.max_rows must be a number of rows"),
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any], told: str) -> None:
    """What cannot work is refused in words."""
    with pytest.raises(ConfigurationError, match=told):
        Retention(**wrong)


def test_own_table_is_not_pruned_unasked() -> None:
    """Rows in a table of the application's own stay, unless the ledger is told how long."""

    class Own(JobRowMixin):
        pass

    assert Ledger("sqlite:///jobs.db").keep == Retention()
    assert Ledger("sqlite:///jobs.db", row_model=JobRow).keep == Retention()
    assert Ledger("sqlite:///jobs.db", row_model=Own).keep == KEEP_JOBS
    assert Ledger("sqlite:///jobs.db", row_model=Own, keep=Retention()).keep == Retention()
    assert Ledger("sqlite:///jobs.db", keep=None).keep is None


def test_keep_that_is_no_retention_is_refused() -> None:
    """A bare age could mean many things."""
    with pytest.raises(ConfigurationError, match="keep of a ledger must be a Retention or None, got 30"):
        Ledger("sqlite:///jobs.db", keep=30)  # type: ignore[arg-type]
