"""Rows that a filter means, a page at a time, at a cost that is bounded whatever is asked.

A page follows one index. What that index does not answer is looked at row by row, and only for so many rows:
a page may then have fewer rows than were asked for, and say where to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, literal, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from ...model.states import MAY_HAVE_COME_DUE, JobState
from ..cursors import Key
from ..filters import LedgerFilter
from ..rows import JobRowMixin
from .conditions import Condition, conditions_of
from .containing import CONTAINING
from .moves import table_of
from .paths import Path, paths_of

RowT = TypeVar("RowT", bound=JobRowMixin)

LOOKS = (1_000, 5_000, 20_000)
"""So many rows does a page look at; first, short looks find what is not rare."""

PROBES = 2_000
"""So many rows make a path a long one: which of two long paths is the longer is not counted."""

SAMPLE = 500
"""So many of their next rows tell which of two long paths is the better one."""

_KEY = ("created_at", "id", "queue")


@dataclass(frozen=True)
class Found(Generic[RowT]):
    """Rows, and after which of all rows to go on; None where there are no more."""

    rows: Sequence[RowT]
    next: Key | None


async def list_rows(
    db: AsyncSession, row_model: type[RowT], wanted: LedgerFilter, *, after: Key | None, limit: int
) -> Found[RowT]:
    """A page of rows, the newest first, or in the order of their ids if these are asked for by a prefix."""
    walk = await _Walk.of(db, row_model, wanted, after)
    if not walk.is_answered:
        for looks in LOOKS:
            rows = await walk.rows(db, row_model, limit + 1, looks)
            if len(rows) > limit:
                return Found(rows[:limit], _key(rows[limit - 1]))
            frontier = await walk.key_at(db, looks)
            if frontier is None:
                return Found(rows, None)
        return Found(rows, frontier)
    rows = await walk.rows(db, row_model, limit + 1)
    return Found(rows[:limit], _key(rows[limit - 1]) if len(rows) > limit else None)


async def count_listed(
    db: AsyncSession, row_model: type[RowT], wanted: LedgerFilter, *, most: int
) -> tuple[int, bool]:
    """How many rows are meant, of at most so many that are looked at, and whether that were all.

    On PostgreSQL, which has an estimate, nothing is counted where it is known before that there are more.
    """
    walks = _Walk.all_of(db, row_model, wanted, None)
    lengths = await _lengths(db, walks)
    if _is_postgresql(db) and most < min(lengths, default=0):
        return 0, False
    walk = await _shortest(db, walks, lengths)
    looked = walk.met(most + 1)
    said = [condition.says(looked.c) for condition in walk.left]
    count, seen = (
        await db.execute(
            select(func.count().filter(and_(literal(True), *said)), func.count()).select_from(looked)
        )
    ).one()
    return min(count, most), seen <= most


async def count_states(
    db: AsyncSession, row_model: type[RowT], wanted: LedgerFilter, *, most: int, now: datetime | None = None
) -> tuple[dict[JobState, int], bool]:
    """How many rows are meant, by state, of at most so many that are looked at; whether that were all.

    The newest rows are looked at. What has come due by `now` is available.
    """
    walk = await _Walk.of(db, row_model, wanted, None)
    looked = walk.met(most + 1, "state", "scheduled_at", is_newest=True)
    said = [condition.says(looked.c) for condition in walk.left]
    state = looked.c.state
    if now is not None:
        has_come_due = and_(state.in_(sorted(MAY_HAVE_COME_DUE)), looked.c.scheduled_at <= now)
        state = case((has_come_due, literal(JobState.AVAILABLE, state.type)), else_=state)
    state = state.label("now")
    counts = select(state, func.count().filter(and_(literal(True), *said)), func.count())
    rows = (await db.execute(counts.select_from(looked).group_by(state))).all()
    counted = {JobState(name): min(meant, most) for name, meant, _ in rows if meant}
    return counted, sum(row[2] for row in rows) <= most


async def estimate_listed(
    db: AsyncSession, row_model: type[JobRowMixin], wanted: LedgerFilter, *, state: JobState | None = None
) -> int:
    """How many rows PostgreSQL thinks there are, of all or in one state; it does not look."""
    columns = table_of(row_model).c
    begin, end = wanted.created
    said = [one.says(columns) for one in conditions_of(wanted, CONTAINING["postgresql"])]
    if state is not None:
        said.append(columns.state == state)
    if wanted.id_prefix:
        said.append(columns.id.startswith(wanted.id_prefix, autoescape=True))
    if begin is not None:
        said.append(columns.created_at >= begin)
    if end is not None:
        said.append(columns.created_at < end)
    (plan,) = (await db.execute(_Explained(select(columns.id).where(*said)))).scalar_one()
    return int(plan["Plan"]["Plan Rows"])


class _Explained(Executable, ClauseElement):
    """A statement's plan, as JSON."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explained)
def _explained(element: _Explained, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **kw)}"


def _key(row: JobRowMixin) -> Key:
    return Key(row.created_at, row.id, row.queue)


class _Walk:
    """One path, from a place on."""

    def __init__(
        self, table: Any, path: Path, wanted: LedgerFilter, left: Sequence[Condition], after: Key | None
    ) -> None:
        self.table = table
        self.path = path
        self.left = left
        columns = table.c
        begin, end = wanted.created
        # A job does not end before it is created: that is a bound that the indexes know.
        ends = [one for one in (end, wanted.finished[1]) if one is not None]
        self.bounds: list[ColumnElement[bool]] = [columns.created_at < one for one in ends]
        if begin is not None:
            self.bounds.append(columns.created_at >= begin)
        if after is not None:
            self.bounds.append(self._is_after(after))

    @classmethod
    async def of(
        cls, db: AsyncSession, row_model: type[JobRowMixin], wanted: LedgerFilter, after: Key | None
    ) -> _Walk:
        """The shortest way."""
        walks = cls.all_of(db, row_model, wanted, after)
        return await _shortest(db, walks, await _lengths(db, walks))

    @classmethod
    def all_of(
        cls, db: AsyncSession, row_model: type[JobRowMixin], wanted: LedgerFilter, after: Key | None
    ) -> list[_Walk]:
        """All ways."""
        table = table_of(row_model)
        dialect = db.get_bind().dialect.name
        conditions = list(conditions_of(wanted, CONTAINING[dialect]))
        return [
            cls(table, path, wanted, [one for one in conditions if one.name not in path.answers], after)
            for path in paths_of(wanted, table, dialect)
        ]

    @property
    def is_answered(self) -> bool:
        """Whether all rows on the path are meant."""
        return not self.left

    async def rows(
        self, db: AsyncSession, row_model: type[RowT], limit: int, looks: int | None = None
    ) -> Sequence[RowT]:
        """Rows that are meant, of so many that are looked at."""
        looked = self.looked(limit if looks is None else looks)
        keys = select(*(looked.c[name] for name in _KEY)).where(*(one.says(looked.c) for one in self.left))
        page = keys.order_by(*self._order(looked.c)).limit(limit).subquery("page")
        columns = self.table.c
        statement = (
            select(row_model)
            .join(page, and_(columns.id == page.c.id, columns.queue == page.c.queue))
            .order_by(*self._order(page.c))
        )
        return (await db.execute(statement)).scalars().all()

    async def key_at(self, db: AsyncSession, place: int) -> Key | None:
        """The place that is so far on the path; None if the path is shorter."""
        looked = self.looked(place)
        last = select(*(looked.c[name] for name in _KEY)).order_by(*self._order(looked.c)).offset(place - 1)
        found = (await db.execute(last)).one_or_none()
        return None if found is None else Key(*found)

    def looked(self, most: int) -> Any:
        """The first rows on the path, in order, as a query's table."""
        names = list(dict.fromkeys([*_KEY, *self._read]))
        # Each part has a limit of its own: databases then follow the index, and do not sort all there is.
        parts = [
            self._part(names, branch).order_by(*self._order(self.table.c)).limit(most)
            for branch in self.path.branches
        ]
        if len(parts) == 1:
            return parts[0].subquery("looked")
        merged = union_all(*(select(part.subquery(f"part_{place}")) for place, part in enumerate(parts)))
        all_parts = merged.subquery("parts")
        return select(all_parts).order_by(*self._order(all_parts.c)).limit(most).subquery("looked")

    def met(self, most: int, *more: str, is_newest: bool = False) -> Any:
        """So many rows on the path, any or the newest, as a query's table; often read in the index alone."""
        names = list(dict.fromkeys(["created_at", *more, *self._read]))
        is_ordered = is_newest and not self.path.is_by_id

        def some(rows: Select[Any], columns: Any) -> Select[Any]:
            return (rows.order_by(columns.created_at.desc()) if is_ordered else rows).limit(most)

        parts = [some(self._part(names, branch), self.table.c) for branch in self.path.branches]
        if len(parts) == 1:
            return parts[0].subquery("met")
        merged = union_all(*(select(part.subquery(f"part_{place}")) for place, part in enumerate(parts)))
        all_parts = merged.subquery("parts")
        return some(select(all_parts), all_parts.c).subquery("met")

    def hits(self, most: int) -> Any:
        """How many of the next rows on the path are meant, of so many that are looked at."""
        looked = self.looked(most)
        said = [condition.says(looked.c) for condition in self.left]
        return select(func.count().filter(and_(literal(True), *said))).select_from(looked).scalar_subquery()

    @property
    def _read(self) -> Iterator[str]:
        """What is left to be looked at."""
        return (name for one in self.left for name in one.columns)

    def _part(self, names: Sequence[str], branch: Sequence[Any]) -> Select[Any]:
        columns = self.table.c
        return select(*(columns[name] for name in names)).where(*branch, *self.bounds)

    def _order(self, columns: Any) -> list[Any]:
        if self.path.is_by_id:
            return [columns.id, columns.queue]
        return [columns[name].desc() for name in _KEY]

    def _is_after(self, key: Key) -> ColumnElement[bool]:
        columns = self.table.c
        told = [bindparam(None, value, columns[name].type) for name, value in zip(_KEY, key, strict=True)]
        if self.path.is_by_id:
            return tuple_(columns.id, columns.queue) > tuple_(*told[1:])
        return tuple_(*(columns[name] for name in _KEY)) < tuple_(*told)


async def _lengths(db: AsyncSession, walks: Sequence[_Walk]) -> list[int]:
    """How many rows are on each of some ways, up to `PROBES`; of a single way that is not asked."""
    if len(walks) == 1:
        return []
    lengths = [select(func.count()).select_from(walk.met(PROBES)).scalar_subquery() for walk in walks]
    return list((await db.execute(select(*lengths))).one())


async def _shortest(db: AsyncSession, walks: Sequence[_Walk], lengths: list[int]) -> _Walk:
    """One of some ways: the shortest; of long ones that on which most of the next rows are meant."""
    if len(walks) == 1:
        return walks[0]
    if min(lengths) < PROBES:
        return walks[lengths.index(min(lengths))]
    hits = list((await db.execute(select(*(walk.hits(SAMPLE) for walk in walks)))).one())
    return walks[hits.index(max(hits))]


def _is_postgresql(db: AsyncSession) -> bool:
    return db.get_bind().dialect.name == "postgresql"
