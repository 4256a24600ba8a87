"""What somebody sees who must not see all: some queues only, or nothing of what jobs are called with."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ..console import AuditPage, Console, CronList, Done, JobDetail, JobLine, JobPage, Query, Tally
from ..errors import ConfigurationError
from ..model import checks
from ..model.query import Term
from ..model.terms import ALIASES, MOST_VALUES

HIDDEN: Final = "(not shown)"

_TOLD_OF_DEEDS: Final = frozenset({"node", "limits", "jobs", "ids"})
"""What an audit has in its details beside numbers and a query, and is nothing of arguments."""


class Narrow:
    """A console with some of its queues, whose ledgers may know of others; all else is that console's."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._keys = {place.key for place in console.places}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._console, name)

    async def jobs(self, query: Query | None = None, **options: Any) -> JobPage:
        """As the console's, without parents of which its queues do not know."""
        page = await self._console.jobs(query, **options)
        seen = await self._seen(line.parent for line in page.jobs)
        return dataclasses.replace(page, jobs=[_without_others(line, seen) for line in page.jobs])

    async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
        """As the console's, without a parent of which its queues do not know."""
        found = await self._console.job(job_id, queue)
        if found is None or not found.line.parent:
            return found
        is_seen = _can_be(found.line.parent) and await self._console.job(found.line.parent) is not None
        return found if is_seen else dataclasses.replace(found, line=_without_others(found.line, ()))

    async def crons(self) -> CronList:
        """As the console's, without parents of which its queues do not know."""
        found = await self._console.crons()
        seen = await self._seen(line.parent for cron in found.crons for line in cron.recent)
        crons = [
            dataclasses.replace(cron, recent=[_without_others(line, seen) for line in cron.recent])
            for cron in found.crons
        ]
        return dataclasses.replace(found, crons=crons)

    async def audit(self, **options: Any) -> AuditPage:
        """As the console's, of its queues only."""
        page = await self._console.audit(**options)
        return dataclasses.replace(page, lines=[line for line in page.lines if line.queue in self._keys])

    async def suggest(self, word: str, start: str) -> Sequence[str]:
        """As the console's, without jobs and functions that its queues have never had."""
        values = await self._console.suggest(word, start)
        if word == "parent":
            seen = await self._seen(values)
            return [value for value in values if value in seen]
        if ALIASES.get(word, word) != "function":
            return values
        pages = [self._console.jobs(Query((Term("function", (value,)),)), limit=1) for value in values]
        found = zip(values, await asyncio.gather(*pages), strict=True)
        return [value for value, page in found if page.jobs]

    async def _seen(self, ids: Iterable[str]) -> Collection[str]:
        """Those of these jobs that are in its queues."""
        # One with a star in it would ask for others, too, and is left out: it is not told.
        asked = tuple(dict.fromkeys(one for one in ids if _can_be(one) and "*" not in one))
        seen: set[str] = set()
        for begin in range(0, len(asked), MOST_VALUES):
            meant = Query((Term("id", asked[begin : begin + MOST_VALUES]),))
            seen |= {line.id for line in (await self._console.jobs(meant, limit=MOST_VALUES)).jobs}
        return seen


class Discreet:
    """A console that tells nothing of args, kwargs, meta and results; all else is that console's."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __getattr__(self, name: str) -> Any:
        return getattr(self._console, name)

    async def jobs(self, query: Query | None = None, **options: Any) -> JobPage:
        """As the console's, without arguments."""
        page = await self._console.jobs(_discreet(query), **options)
        return dataclasses.replace(page, jobs=[_without_arguments(line) for line in page.jobs])

    async def counts(self, query: Query | None = None) -> dict[str, Tally]:
        """As the console's."""
        return await self._console.counts(_discreet(query))

    async def count(self, query: Query) -> Tally:
        """As the console's."""
        return await self._console.count(_discreet(query))

    async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
        """As the console's, without what it was called with and what it returned."""
        found = await self._console.job(job_id, queue)
        return None if found is None else _without_contents(found)

    async def crons(self) -> CronList:
        """As the console's, without arguments."""
        found = await self._console.crons()
        crons = [
            dataclasses.replace(cron, recent=[_without_arguments(line) for line in cron.recent])
            for cron in found.crons
        ]
        return dataclasses.replace(found, crons=crons)

    async def audit(self, **options: Any) -> AuditPage:
        """As the console's, without arguments by which others searched."""
        page = await self._console.audit(**options)
        lines = [dataclasses.replace(line, detail=_discreet_detail(line.detail)) for line in page.lines]
        return dataclasses.replace(page, lines=lines)

    async def suggest(self, word: str, start: str) -> Sequence[str]:
        """As the console's, and nothing of arguments."""
        if _is_of_arguments(word):
            return []
        return [value for value in await self._console.suggest(word, start) if not _is_of_arguments(value)]

    async def retry(self, query: Query, **options: Any) -> Done:
        """As the console's."""
        return await self._console.retry(_discreet(query), **options)

    async def cancel(self, query: Query, **options: Any) -> Done:
        """As the console's."""
        return await self._console.cancel(_discreet(query), **options)

    async def delete(self, query: Query, **options: Any) -> Done:
        """As the console's."""
        return await self._console.delete(_discreet(query), **options)


def _can_be(job_id: str) -> bool:
    """Whether this can be an id: programs may name any text as a parent."""
    try:
        checks.job_id(job_id)
    except ConfigurationError:
        return False
    return True


def _without_others(line: JobLine, seen: Collection[str]) -> JobLine:
    return line if not line.parent or line.parent in seen else dataclasses.replace(line, parent="")


def _without_arguments(line: JobLine) -> JobLine:
    return dataclasses.replace(line, arguments="")


def _without_contents(found: JobDetail) -> JobDetail:
    return dataclasses.replace(
        found,
        line=_without_arguments(found.line),
        args=(),
        kwargs={},
        meta={},
        result=None if found.result is None else HIDDEN,
        progress=None if found.progress is None else HIDDEN,
        logs=(),
        unique_key=HIDDEN if found.unique_key else "",
        is_redacted=True,
    )


def _discreet(query: Any) -> Any:
    """The query, if it does not find out by asking what is not shown."""
    for term in query.terms if query else ():
        if _is_of_arguments(term.name):
            raise ConfigurationError(f"you do not see arguments, so you cannot ask for {term.name}")
    return query


def _discreet_detail(detail: Any) -> Any:
    """What an entry of the audit has beside, as far as it is sure to tell nothing of arguments."""
    if not isinstance(detail, Mapping):
        return None if detail is None else HIDDEN
    return {name: _discreet_fact(name, value) for name, value in detail.items()}


def _discreet_fact(name: str, value: Any) -> Any:
    if name == "query":
        return _discreet_words(value)
    return value if name in _TOLD_OF_DEEDS or value is None or isinstance(value, int | float) else HIDDEN


def _discreet_words(text: Any) -> str:
    """A query as text, without words about arguments, and about errors, which often repeat them."""
    try:
        terms = Query.parse(text).terms if isinstance(text, str) else None
    except ConfigurationError:  # of another version, or another program: nobody knows what is in it
        terms = None
    if terms is None:
        return HIDDEN
    told = [str(term) for term in terms if term.name != "error" and not _is_of_arguments(term.name)]
    return " ".join(told if len(told) == len(terms) else [*told, HIDDEN])


def _is_of_arguments(name: str) -> bool:
    return ALIASES.get(name, name).partition(".")[0] in ("arg", "args", "kwargs", "meta")
