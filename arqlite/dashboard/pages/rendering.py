"""From values to a page: the templates, and what all of them are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ...errors import MissingExtra
from .. import charts, words
from ..assets import asset
from ..context import access_of, look_of
from ..links import link, link_if, pair, with_query
from ..starting import start_command
from .tracebacks import folded

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
except ImportError as error:  # pragma: no cover
    raise MissingExtra("The dashboard", "dashboard") from error

THEME_COOKIE: Final = "arqlite_theme"
_THEMES: Final = ("light", "dark")
_CLOCKS: Final = {"minutes": "%H:%M", "seconds": "%H:%M:%S UTC", "day": "%d %b"}
"""How moments are written that are not told from now: the script writes them so in the zone of the device."""

SECTIONS: Final = (
    ("overview", "Overview", "o"),
    ("jobs", "Jobs", "j"),
    ("errors", "Errors", "e"),
    ("queues", "Queues", "q"),
    ("crons", "Crons", "c"),
    ("workers", "Workers", "w"),
    ("metrics", "Metrics", "m"),
    ("system", "System", "s"),
    ("audit", "Audit", "a"),
)
"""The pages of the navigation: their routes, what they are called, and the key behind `g`."""


def render(
    request: Request, template: str, values: Mapping[str, Any] | None = None, *, status_code: int = 200
) -> HTMLResponse:
    """Make a page of a template.

    Args:
        request: what is answered.
        template: its name, without `.html`.
        values: what it shows.
        status_code: of the answer.
    """
    html = _environment().get_template(f"{template}.html").render(_common(request) | dict(values or {}))
    return HTMLResponse(html, status_code=status_code)


def problem(
    request: Request, status_code: int, title: str, text: str, *, fix: str = "", template: str = "problem"
) -> HTMLResponse:
    """A page that says why there is nothing else to see, and what to do.

    It needs no console, so it can be shown when nothing can be asked, and to those who were not let in.
    """
    values = {"page": "", "title": title, "text": text, "fix": fix, "status_code": status_code}
    return render(request, template, values, status_code=status_code)


def confirmation(
    request: Request, *, title: str, text: str, expected: str, action: str, fields: Mapping[str, Any]
) -> HTMLResponse:
    """A page that asks to type something before much is done.

    Args:
        request: what is answered.
        title: what is about to be done: "Delete 214 jobs".
        text: what that means.
        expected: what has to be typed; it is sent as `confirm`.
        action: the path that the form is posted to.
        fields: what else is sent; a list several times. `back` is where to go instead.
    """
    pairs = [
        (name, one)
        for name, value in fields.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    values = {
        "page": "",
        "title": title,
        "text": text,
        "expected": expected,
        "action": action,
        "pairs": pairs,
        "back": next((value for name, value in pairs if name == "back"), link(request, "overview")),
    }
    return render(request, "confirmation", values, status_code=422)


def theme_of(request: Request) -> str:
    """Which theme was chosen in this browser; empty for what its system has."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in _THEMES else ""


def _common(request: Request) -> dict[str, Any]:
    now = datetime.now(UTC)
    has_access = hasattr(request.state, "access")

    def path_to(name: str, /, **params: str) -> str:
        return link(request, name, **params)

    def may(verb: str) -> bool:
        return has_access and not look_of(request).is_read_only and access_of(request).may(verb)

    def moment(at: datetime | None, *, is_short: bool = False) -> Markup | str:
        if at is None:
            return words.NOTHING
        said = words.rough(now - at) if is_short else words.ago(at, now)
        form = Markup('<time datetime="{machine}" title="{absolute}">{said}</time>')
        return form.format(machine=words.machine(at), absolute=words.absolute(at), said=said)

    def clock(at: datetime, form: str) -> Markup:
        shown = Markup('<time datetime="{machine}" title="{absolute}" data-clock="{form}">{said}</time>')
        said = at.astimezone(UTC).strftime(_CLOCKS[form])
        return shown.format(machine=words.machine(at), absolute=words.absolute(at), form=form, said=said)

    return {
        "access": access_of(request) if has_access else None,
        "asset": lambda name: asset(request, name),
        "clock": clock,
        "flash": getattr(request.state, "flash", None),
        "link": path_to,
        "live_url": link_if(request, "live") if has_access else "",
        "look": look_of(request),
        "may": may,
        "moment": moment,
        "now": now,
        "sections": SECTIONS,
        "start_command": lambda queue="": start_command(request, queue),
        "suggest_url": link_if(request, "suggest", "api:suggest", "api_suggest") if has_access else "",
        "theme": theme_of(request),
    }


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("arqlite.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        charts=charts,
        pair=pair,
        percent=words.percent,
        state_words=words.STATE_WORDS,
        trace_of=words.trace_of,
        with_query=with_query,
    )
    made.filters.update(
        absolute=words.absolute,
        bound=words.bound,
        breakable=words.breakable,
        cause=words.cause_word,
        duration=words.duration,
        fields=words.fields,
        folded=folded,
        json=words.as_json,
        number=words.number,
        oneline=lambda value: json.dumps(value, ensure_ascii=False, default=str),
        rough=words.rough,
        seconds=words.seconds,
        sentence=words.sentence,
        size=words.size,
        state=words.state_word,
        tally=words.tally,
    )
    return made
