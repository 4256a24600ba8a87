"""Values that the words of a query may have, from what there is; each costs a bounded look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..inspector.found import Found
from ..model.arguments import Signature
from ..model.query import NAMES, Query
from ..model.states import Cause, JobState, LedgerStatus
from ..model.terms import ALIASES, INSIDE, path_of
from .asked import Asked
from .asking import Asking
from .knowledge import Known, signatures_of
from .links import Links
from .places import Place
from .redaction import HIDDEN, Hider

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger import JobRowMixin, Ledger

MOST = 20
_SAMPLE = 500
_MOST_FUNCTIONS = 200
_DEEPEST = 3

_FIXED: Mapping[str, Sequence[str]] = {
    "state": (*map(str, JobState), "incomplete", "failed", "running", "queued"),
    "status": tuple(map(str, LedgerStatus)),
    "cause": tuple(map(str, Cause)),
    "attempt": ("1", ">1", ">2", ">=5"),
    "priority": tuple(map(str, range(10))),
    "since": ("15m", "1h", "6h", "24h", "7d"),
    "until": ("15m", "1h", "6h", "24h", "7d"),
    "failed": ("15m", "1h", "6h", "24h", "7d"),
    "group": (),
}


async def suggestions(links: Links, word: str, start: str, redact: Iterable[str] | None) -> Sequence[str]:
    """Values of a word that begin so; see `Console.suggest`."""
    name = ALIASES.get(word, word)
    if not name:
        inside = [f"{kind}{path}" for kind in INSIDE for path in await _paths(links, kind, redact)]
        return _beginning([*NAMES, *inside], start)
    if name.rstrip(".") in ("arg", "meta"):
        return _beginning(await _paths(links, name.rstrip(".") + ".", redact), start)
    if name in _FIXED:
        return _beginning(_FIXED[name], start)
    if name == "queue":
        return _beginning([place.key for place in links.places], start)
    answers = await asyncio.gather(*_questions(links, name, start, Hider(redact)))
    return _beginning(sorted({one for values in answers for one in values}), start)


def _beginning(values: Iterable[str], start: str) -> list[str]:
    """Those that begin so, and then those that have it elsewhere."""
    lowered = start.lower()
    told = list(dict.fromkeys(values))
    first = [one for one in told if one.lower().startswith(lowered)]
    return [*first, *(one for one in told if lowered in one.lower() and one not in first)][:MOST]


def _questions(links: Links, name: str, start: str, hider: Hider) -> list[Any]:
    questions: list[Any] = []
    if name == "function":
        questions += [_declared(place) for place in links.places]
        questions += [_functions(links, ledger, places, start) for ledger, places in links.ledgers()]
    if name == "node":
        questions += [_nodes(links, place) for place in links.places]
    return [*questions, *(_sampled(sample, name, hider) for sample in _samples(links))]


async def _declared(place: Place) -> list[str]:
    return list(place.functions)


async def _functions(links: Links, ledger: Ledger, places: Sequence[Place], start: str) -> list[str]:
    async def ask() -> list[str]:
        return await ledger.values("function", start=start, most=_MOST_FUNCTIONS)

    return await Asking(links).ledger(ledger, places, ask) or []


async def _nodes(links: Links, place: Place) -> list[str]:
    async def ask() -> list[str]:
        info = await (await links.inspector(place)).check_queue(place.queue)
        return [] if info is None else [one.node for one in info.sessions]

    return await Asking(links).redis(place, ask) or []


Sample = Mapping[str, Any]
"""What is known of one job, by the names of words: texts, or lists of them; `args` and `meta` are dicts."""


def _samples(links: Links) -> list[Any]:
    with_rows = {place.key for _, places in links.ledgers() for place in places}
    rows = [_sample_of_ledger(links, ledger, places) for ledger, places in links.ledgers()]
    return [*rows, *(_sample_of_redis(links, place) for place in links.places if place.key not in with_rows)]


async def _sampled(sample: Any, name: str, hider: Hider) -> list[str]:
    if name.startswith(INSIDE):
        kind = "args" if name.startswith("arg.") else "meta"
        return [told for one in await sample if (told := _at(one[kind], path_of(name), hider))]
    values: list[str] = []
    for one in await sample:
        given = one.get(name) or ()
        values += [given] if isinstance(given, str) else [str(value) for value in given]
    return values


async def _sample_of_ledger(links: Links, ledger: Ledger, places: Sequence[Place]) -> list[Sample]:
    queues, signatures = [place.queue for place in places], signatures_of(places)

    async def ask() -> list[Sample]:
        page = await ledger.jobs(queue=queues, limit=_SAMPLE)
        return [_sample_of_row(row, signatures) for row in page.items]

    return await Asking(links).ledger(ledger, places, ask) or []


async def _sample_of_redis(links: Links, place: Place) -> list[Sample]:
    signatures = signatures_of([place])

    async def ask() -> list[Sample]:
        live = await Asked(links, Query(), [place], Known(), Hider()).live(place)
        return [_sample_of_found(one, signatures) async for jobs in live.found(_SAMPLE) for one in jobs]

    return await Asking(links).redis(place, ask) or []


def _sample_of_row(row: JobRowMixin, signatures: Mapping[str, Signature]) -> Sample:
    error = row.error_payload
    return {
        "function": row.function,
        "id": row.id,
        "parent": row.parent,
        "by": row.triggered_by,
        "worker": row.worker,
        "node": (row.worker or "").partition(":")[0],
        "tag": row.tags or (),
        "error": [str(error["type"])] if isinstance(error, Mapping) and error.get("type") else (),
        "args": _named(signatures.get(row.function), row.args, row.kwargs),
        "meta": row.meta or {},
    }


def _sample_of_found(found: Found, signatures: Mapping[str, Signature]) -> Sample:
    job = found.envelope or {}
    session = found.standing.session if found.standing is not None else ""
    return {
        "function": found.function,
        "id": found.job_id,
        "parent": job.get("pa"),
        "by": job.get("by"),
        "worker": session,
        "node": session.partition(":")[0],
        "tag": job.get("g") or (),
        "args": _named(signatures.get(found.function), job.get("a"), job.get("k")),
        "meta": job.get("m") or {},
    }


def _named(signature: Signature | None, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments of a job by their names, as far as these are known."""
    named = dict(kwargs) if isinstance(kwargs, Mapping) else {}
    if signature is None or not args:
        return named
    return {**dict(zip(signature.parameter_names, args, strict=False)), **named}


async def _paths(links: Links, kind: str, redact: Iterable[str] | None) -> list[str]:
    """The paths that there are inside of arguments or meta, without those whose values are not shown."""
    hider = Hider(redact)
    samples = await asyncio.gather(*_samples(links))
    found = {
        path
        for sample in samples
        for one in sample
        for path in _paths_in(one["args" if kind == "arg." else "meta"], hider)
    }
    return sorted(found)


def _paths_in(value: Any, hider: Hider, depth: int = 1) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    for key, part in value.items():
        name = str(key)
        if hider.hides(name) or not name or any(one in name for one in '.:," ') or name.isspace():
            continue
        if not isinstance(part, Mapping):
            yield name
        elif depth < _DEEPEST:
            for path in _paths_in(part, hider, depth + 1):
                yield f"{name}.{path}"


def _at(value: Any, path: Sequence[str], hider: Hider) -> str:
    """The value at the end of a path as a text; empty if there is none, or it is not shown."""
    for key in path:
        if not isinstance(value, Mapping) or key not in value or hider.hides(key):
            return ""
        value = value[key]
    plain = isinstance(value, str | int | float | bool) and value != HIDDEN
    if not plain:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
