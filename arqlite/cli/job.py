"""`arqlite job ID`: everything that is known of one job."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from .exits import OUT_OF_REACH, Nothing
from .operating import operate, tell_troubles
from .output import output_option, tell_facts, tell_json
from .screen import printable
from .targets import OfQueues, settings_option
from .wording import moment, span

if TYPE_CHECKING:
    from ..console import Attempt, Console, JobDetail, JobPage

_NEAR = 5


@click.command(cls=OfQueues)
@settings_option
@click.argument("job_id", metavar="ID")
@click.option("--queue", metavar="QUEUE", help="Its queue. Otherwise all are looked through.")
@output_option()
def job(settings: tuple[str, ...], job_id: str, queue: str | None, output: str) -> None:
    """Tell everything that is known of one job.

    Its arguments, all attempts with their errors, progress, log and result. The beginning of an ID will do
    where no other job has it. Ends with 3 if there is no such job.
    """
    from ..console import JobDetail

    found = operate(settings, lambda console: _find(console, job_id, queue))
    if isinstance(found, JobDetail):
        _tell(found, output)
        return
    if tell_troubles(found.troubles):
        raise click.exceptions.Exit(OUT_OF_REACH)
    if not found.jobs:
        raise Nothing(f"no job {job_id!r} is known; arqlite jobs lists those there are")
    raise Nothing(f"several jobs begin with {job_id!r}: {', '.join(line.id for line in found.jobs)}")


async def _find(console: Console, job_id: str, queue: str | None) -> JobDetail | JobPage:
    """Find a job, or those whose ids begin so."""
    from ..console import Query
    from ..model.query import Term

    detail = await console.job(job_id, queue)
    if detail is not None:
        return detail
    terms = [Term("id", (f"{job_id}*",)), *([Term("queue", (queue,))] if queue else [])]
    page = await console.jobs(Query(terms), limit=_NEAR)
    if len(page.jobs) == 1:
        detail = await console.job(page.jobs[0].id, page.jobs[0].queue)
        if detail is not None:
            return detail
    return page


def _tell(detail: JobDetail, output: str) -> None:
    if output == "json":
        tell_json(detail)
        return
    tell_facts(_facts(detail))
    for attempt in detail.attempts:
        _tell_attempt(attempt)
    _tell_list("log", detail.logs)
    if detail.is_redacted:
        click.echo("some values are not shown: they look like secrets", err=True)


def _facts(detail: JobDetail) -> Iterator[tuple[str, str]]:
    line = detail.line
    cause = f" ({line.cause.value})" if line.cause else ""
    most = f" of {line.max_attempts}" if line.max_attempts else ""
    yield "id", line.id
    yield "queue", line.queue
    yield "function", line.function
    yield "state", f"{line.state.value}{cause}"
    yield "attempt", f"{line.attempt}{most}" if line.attempt else ""
    yield "args", _json(detail.args)
    yield "kwargs", _json(detail.kwargs)
    yield "meta", _json(detail.meta)
    yield "tags", " ".join(line.tags)
    yield "priority", str(line.priority) if line.priority else ""
    yield "unique", detail.unique_key
    yield "enqueued", moment(line.enqueued_at)
    yield "due", moment(line.due_at)
    yield "started", moment(line.started_at)
    yield "finished", moment(line.finished_at)
    yield "waited", span(line.wait)
    yield "took", span(line.duration)
    yield "worker", line.worker
    yield "asked by", line.triggered_by
    yield "parent", line.parent
    yield "children", " ".join(detail.children)
    yield "workflow", " ".join(detail.workflow).strip()
    yield "progress", _json(detail.progress)
    if detail.result_is_error:
        yield "error", str(detail.result)
    else:
        yield "result", _json(detail.result)
    yield "may be", ", ".join(sorted(detail.actions))
    yield "found in", ", ".join(sorted(detail.sources))


def _tell_attempt(attempt: Attempt) -> None:
    cause = f" ({attempt.cause.value})" if attempt.cause else ""
    worker = f" on {attempt.worker}" if attempt.worker else ""
    when = moment(attempt.started_at or attempt.finished_at)
    click.echo(
        printable(
            f"\nattempt {attempt.number}: {attempt.state}{cause}{worker} {when}".rstrip(), keep_lines=True
        )
    )
    told = attempt.traceback or (f"{attempt.error_type}: {attempt.message}" if attempt.error_type else "")
    for text in printable(told, keep_lines=True).splitlines():
        click.echo(f"  {text}")


def _tell_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"\n{title}:")
    for line in lines:
        click.echo(f"  {printable(line)}")


def _json(value: Any) -> str:
    return (
        "" if value is None or value in ([], {}, ()) else json.dumps(value, ensure_ascii=False, default=str)
    )
