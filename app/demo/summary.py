"""What happened, as plain data: for the report on the screen and for the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.demo.client import NO_LEDGER, Ledger
from app.demo.following import FollowedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything is.

    Attributes:
        api: the API's URL.
        data_dir: the data folder.
        database: the database's URL, without a password.
        redis: the Redis server, without a password.
        logs: the logs of the processes, by name.
    """

    api: str
    data_dir: Path
    database: str
    redis: str
    logs: Mapping[str, Path]

    @property
    def docs(self) -> str:
        """The API's interactive documentation."""
        return f"{self.api}/docs"

    @property
    def dashboard(self) -> str:
        """Where the queues are seen."""
        return f"{self.api}/ops/jobs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What happened.

    Attributes:
        mailbox: what was fetched.
        jobs: every job of this run, as it ended.
        transactions: those known of this mailbox, earlier runs included.
        places: where to look.
        seconds: how long it took from the start to here.
        ledger: what it has of the last 24 hours.
    """

    mailbox: Path
    jobs: Sequence[FollowedJob]
    transactions: Sequence[Mapping[str, Any]]
    places: Places
    seconds: float
    ledger: Ledger = NO_LEDGER

    @property
    def ok(self) -> bool:
        """Whether both the fetch and the extraction, and all else that ran, succeeded."""
        done = {job.title for job in self.jobs if job.status == "SUCCESS"}
        return (
            all(job.status == "SUCCESS" for job in self.jobs)
            and {
                "EMAIL_FETCH",
                "EMAIL_EXTRACTION",
            }
            <= done
        )

    def output_of(self, title: str) -> Mapping[str, Any]:
        """What the job of this type gave back; empty unless it succeeded."""
        return next((job.output for job in self.jobs if job.title == title), {})

    @property
    def unreadable(self) -> list[Mapping[str, str]]:
        """The messages that are no e-mail: source and reason."""
        return list(self.output_of("EMAIL_FETCH").get("unreadable", []))

    def as_dict(self) -> dict[str, Any]:
        """The summary for programs; see docs/app.md for the keys."""
        fetch, extraction = self.output_of("EMAIL_FETCH"), self.output_of("EMAIL_EXTRACTION")
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "mailbox": str(self.mailbox),
            "jobs": [_job(job) for job in self.jobs],
            "emails": {
                "fetched": fetch.get("fetched_count", 0),
                "saved": fetch.get("saved_count", 0),
                "read": extraction.get("processed_count", 0),
                "not_extracted": extraction.get("failed_count", 0),
                "unreadable": fetch.get("unreadable_count", 0),
            },
            "unreadable": self.unreadable,
            "transactions": {
                "new": extraction.get("transaction_count", 0),
                "known": len(self.transactions),
                "items": list(self.transactions),
            },
            "ledger": {"open": self.ledger.open, "ended": dict(self.ledger.ended)},
            "api": {"url": self.places.api, "docs": self.places.docs},
            "data": {
                "folder": str(self.places.data_dir),
                "database": self.places.database,
                "redis": self.places.redis,
                "logs": {name: str(log) for name, log in self.places.logs.items()},
            },
        }


def _job(job: FollowedJob) -> dict[str, Any]:
    kept = ("status", "queue", "attempt", "duration_ms", "started_at", "finished_at")
    return {
        "id": job.accepted.job_id,
        "type": job.title,
        **{name: job.seen.get(name) for name in kept},
        "output": job.seen.get("output_payload"),
        "error": job.error,
    }
