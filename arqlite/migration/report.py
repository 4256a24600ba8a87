"""What an import did, or would do, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .convert import Left, Move

_SHOWN = 10


@dataclass(slots=True)
class Report:
    """What an import did, or in a dry run would do.

    Attributes:
        dry_run: whether nothing was changed.
        queues: arq's queues that were drained.
        target: arqlite's queue.
        due, deferred: jobs moved that may run now, or later.
        cancelled: jobs whose abort was asked for; they ended as cancelled.
        expired: jobs whose body arq had let expire; they ended as failed.
        crons: ticks of arq's cron that were dropped.
        recovered: jobs that an earlier run had left half-way.
        duplicates: ids that arqlite has already: dropped, as arq would have refused them.
        left: jobs that stay in arq's queue.
        held: jobs that run in arqlite on behalf of arq's producers, through a bridge.
        results, results_known: results copied, and those whose id arqlite has already.
        results_elsewhere: results of other queues, left alone.
        results_failed: results that could not be copied: id to reason.
        functions: how many jobs moved, per function.
        changes: per function what JSON makes of its arguments, and of how many jobs.
        unread: classes that a dry run did not load, and how many jobs need them.
        other_queues: other queues of arq in that database, and how many jobs they have.
        unfinished: whether arq's queue was still growing when the import gave up.
    """

    dry_run: bool = False
    queues: list[str] = field(default_factory=list)
    target: str = ""
    due: int = 0
    deferred: int = 0
    cancelled: int = 0
    expired: int = 0
    crons: int = 0
    recovered: int = 0
    duplicates: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    held: int = 0
    results: int = 0
    results_known: int = 0
    results_elsewhere: int = 0
    results_failed: dict[str, str] = field(default_factory=dict)
    functions: Counter[str] = field(default_factory=Counter)
    changes: dict[str, Counter[str]] = field(default_factory=dict)
    unread: Counter[str] = field(default_factory=Counter)
    other_queues: dict[str, int] = field(default_factory=dict)
    unfinished: bool = False

    @property
    def moved(self) -> int:
        """Jobs that arqlite has now to run."""
        return self.due + self.deferred

    @property
    def is_complete(self) -> bool:
        """Whether arq has nothing left that could have been moved."""
        return not (self.left or self.unfinished or self.results_failed)

    def add(self, move: Move) -> None:
        """Count a job that was moved, or would be."""
        match move.fate:
            case "due":
                self.due += 1
            case "deferred":
                self.deferred += 1
            case "cancelled":
                self.cancelled += 1
            case "expired":
                self.expired += 1
            case "cron":
                self.crons += 1
        if move.fate in ("due", "deferred"):
            self.functions[move.function] += 1
        if move.changes:
            self.changes.setdefault(move.function, Counter()).update(move.changes)
        if move.unread:
            self.unread[move.unread] += 1

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        plain = {part.name: getattr(self, part.name) for part in fields(self)}
        plain["left"] = [asdict(left) for left in self.left]
        return {"moved": self.moved, "complete": self.is_complete, **plain}

    def lines(self) -> Iterator[str]:
        """Tell it in words, a line at a time."""
        would = "would be " if self.dry_run else ""
        queues = ", ".join(self.queues)
        moved = _jobs(self.moved)
        yield f"{moved} {would}moved from {queues} to {self.target}, {self.deferred} of them deferred"
        for function, count in self.functions.most_common():
            yield f"  {count:>7}  {function}"
        counts = (
            (self.recovered, "job", "of an earlier run that broke off, finished now"),
            (self.cancelled, "job", f"whose abort was asked for {would}ended as cancelled"),
            (self.expired, "job", f"that arq had let expire {would}ended as failed"),
            (self.crons, "tick", f"of arq's cron {would}dropped: arqlite's cron takes over"),
            (len(self.duplicates), "job", "dropped, known to arqlite by id already"),
            (self.held, "job", "run in arqlite for arq's producers, through a bridge"),
            (self.results, "result", f"{would}copied"),
            (self.results_known, "result", "not copied, known to arqlite by id already"),
            (self.results_elsewhere, "result", "of other queues left alone"),
        )
        yield from (f"{_counted(count, noun)} {words}" for count, noun, words in counts if count)
        for name, jobs in sorted(self.other_queues.items()):
            yield f"not looked at: arq's queue {name!r} in the same database, with {_jobs(jobs)} (--queue)"
        yield from self._of_what_changes()
        yield from self._of_what_is_left()

    def _of_what_changes(self) -> Iterator[str]:
        if self.unread:
            yield "not looked into, for it takes classes that a dry run does not load:"
            yield from (f"  {count:>7}  {name}" for name, count in self.unread.most_common())
        if self.changes:
            yield "arguments that JSON changes (job_serializer=pickle.dumps on pool and worker keeps them):"
            for function, found in sorted(self.changes.items()):
                told = ", ".join(f"{change} ({count})" for change, count in found.most_common())
                yield f"  {function}: {told}"

    def _of_what_is_left(self) -> Iterator[str]:
        if self.duplicates:
            yield f"ids that arqlite has already: {_some(self.duplicates)}"
        reasons: dict[tuple[str, str], list[str]] = {}
        for left in self.left:
            reasons.setdefault((left.function, left.reason), []).append(left.job_id)
        if reasons:
            yield f"{_jobs(len(self.left))} left in arq's queue:"
        for (function, reason), ids in sorted(reasons.items(), key=lambda found: -len(found[1])):
            who = f"{function}: " if function else ""
            yield f"  {len(ids):>7}  {who}{reason} ({_some(ids)})"
        if self.results_failed:
            yield f"{_counted(len(self.results_failed), 'result')} could not be copied:"
            shown = list(self.results_failed.items())[:_SHOWN]
            yield from (f"  {job_id}: {reason}" for job_id, reason in shown)
        if self.unfinished:
            yield "arq's queue grew as fast as it was drained: move its producers, or run a bridge"


def _jobs(number: int) -> str:
    return _counted(number, "job")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(ids: list[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    return f"{shown} and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else shown
