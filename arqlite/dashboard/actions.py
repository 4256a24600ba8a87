"""What forms do: something, and then back to the page with a word about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..console import Console, Query
from ..errors import ConfigurationError
from .context import console_of, look_of
from .deeds import (
    CRON_NEEDS,
    JOB_NEEDS,
    QUEUE_NEEDS,
    Deed,
    NotConfirmed,
    do_to_cron,
    do_to_job,
    do_to_matching,
    do_to_queue,
    do_to_selection,
    verb_of,
)
from .guard import flash
from .links import here, link, named, unpaired
from .pages import confirmation
from .paths import root_of
from .routes import GuardedRoute, must_be_allowed


async def job_action(request: Request) -> Response:
    """Retry, cancel or delete one job."""
    verb, queue, job_id = verb_of(named(request, "verb")), named(request, "queue"), named(request, "id")
    deed = await do_to_job(console_of(request), verb, queue, job_id)
    # A job that was deleted has no page to go back to.
    return _back(request, await request.form(), deed, "jobs" if verb == "delete" else "")


async def bulk_action(request: Request) -> Response:
    """Retry, cancel or delete jobs that were chosen, or all that a query means."""
    # A selection has one field for each job.
    form = await request.form(max_fields=look_of(request).bulk_limit + 20, max_files=0)
    must_be_allowed(request, JOB_NEEDS, _text(form, "verb"))
    verb = verb_of(_text(form, "verb"))
    chosen = [str(job) for job in form.getlist("job")]
    console, limit = console_of(request), look_of(request).bulk_limit

    async def act() -> Deed:
        confirm = _text(form, "confirm")
        if chosen:
            jobs = named_jobs(console, chosen)
            return await do_to_selection(console, verb, jobs, confirm=confirm, limit=limit)
        query = Query.parse(_text(form, "q"))
        return await do_to_matching(console, verb, query, confirm=confirm, limit=limit)

    return await _done(request, form, act)


async def queue_action(request: Request) -> Response:
    """Pause, resume, scale, purge a queue or stop its workers."""
    form = await request.form(max_files=0)
    said = {name: str(value) for name, value in form.items()}

    async def act() -> Deed:
        return await do_to_queue(console_of(request), named(request, "verb"), named(request, "key"), said)

    return await _done(request, form, act)


async def cron_action(request: Request) -> Response:
    """Run, pause or resume a cron job."""
    form = await request.form(max_files=0)

    async def act() -> Deed:
        console, verb = console_of(request), named(request, "verb")
        return await do_to_cron(console, verb, named(request, "key"), named(request, "name"))

    return await _done(request, form, act)


def named_jobs(console: Console, pairs: Sequence[str]) -> list[tuple[str, str]]:
    """Read jobs as `links.pair` writes them.

    Raises:
        ConfigurationError: one is no such text, or of no queue of the console.
    """
    keys = {place.key for place in console.places}
    jobs = [unpaired(text) for text in pairs]
    for (queue, job_id), text in zip(jobs, pairs, strict=True):
        if queue not in keys or not job_id:
            raise ConfigurationError(
                f"a job is named by the key of its queue, a slash and its id, got {text!r}"
            )
    return jobs


ROUTES: Final = (
    GuardedRoute("/jobs/bulk", bulk_action, methods=["POST"], name="bulk_action", needs=JOB_NEEDS),
    GuardedRoute(
        "/jobs/{queue}/{id}/{verb}", job_action, methods=["POST"], name="job_action", needs=JOB_NEEDS
    ),
    GuardedRoute(
        "/queues/{key}/{verb}", queue_action, methods=["POST"], name="queue_action", needs=QUEUE_NEEDS
    ),
    GuardedRoute(
        "/crons/{key}/{name}/{verb}", cron_action, methods=["POST"], name="cron_action", needs=CRON_NEEDS
    ),
)


async def _done(request: Request, form: FormData, act: Callable[[], Awaitable[Deed]]) -> Response:
    """Do it, or ask to type what is meant."""
    try:
        return _back(request, form, await act())
    except NotConfirmed as asked:
        return _question(request, asked, form)


def _back(request: Request, form: FormData, deed: Deed, route: str = "") -> Response:
    where = link(request, route) if route else _where_from(request, form)
    answer = RedirectResponse(where, 303)
    flash(request, answer, deed.text)
    return answer


def _question(request: Request, asked: NotConfirmed, form: FormData) -> Response:
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if name not in ("confirm", "back"):
            fields.setdefault(name, []).append(str(value))
    return confirmation(
        request,
        title=asked.title,
        text=f"{asked.text} Nothing was done yet.",
        expected=asked.expected,
        action=here(request),
        # The page that asks is not the one to go back to.
        fields={**fields, "back": _where_from(request, form)},
    )


def _where_from(request: Request, form: FormData) -> str:
    """The page of this dashboard that a form was on; never another site."""
    root = root_of(request.scope) + "/"
    for told in (_text(form, "back"), request.headers.get("referer", "")):
        try:
            parts = urlsplit(told)
        except ValueError:  # brackets without an address in them: it is no page of ours
            continue
        is_own = parts.path.startswith(root) and not parts.path.startswith("//") and "\\" not in told
        if is_own and parts.netloc in ("", request.headers.get("host")):
            return parts.path + (f"?{parts.query}" if parts.query else "")
    return root


def _text(form: FormData, name: str) -> str:
    return str(form.get(name, ""))
