"""What is told of a queue: who works for it, and what was settled for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..utils import ms_to_datetime
from . import limits
from .limits import GlobalLimit, RateLimit

MOST_FUNCTIONS = 100
"""So many of its functions a worker names."""


@dataclass(frozen=True)
class SessionInfo:
    """One worker of a queue, for as long as it holds its lease.

    Attributes:
        session: its name, `host:pid:...`.
        node: where it runs, as operators call it.
        pid: its process; 0 if unknown.
        limit: how many jobs it runs at once.
        running: the ids of the jobs it has.
        started_at: when it started; None if unknown.
        paused: whether it claims nothing.
        version: of arqlite; empty if it does not tell.
        functions: what it can run, by name, at most `MOST_FUNCTIONS`; empty if it does not tell.
        function_count: how many it can run.
        not_aborted: those whose running jobs it does not abort, for it has `allow_abort_jobs=False`, at most
            `MOST_FUNCTIONS`; empty if it does not tell, too.
        memory: bytes that its process has in memory; None if it does not tell.
        loop_lag: by how much its event loop was late at the last heartbeat; None if it does not tell.
        is_alive: whether its lease lasts; otherwise its jobs wait for a rescue.
    """

    session: str
    node: str
    pid: int
    limit: int
    running: Sequence[str]
    started_at: datetime | None
    paused: bool
    version: str = ""
    functions: Sequence[str] = ()
    function_count: int = 0
    not_aborted: Sequence[str] = ()
    memory: int | None = None
    loop_lag: timedelta | None = None
    is_alive: bool = True


@dataclass(frozen=True)
class QueueInfo:
    """A queue, as `Inspector.check_queue` tells of it.

    Attributes:
        queue: its name.
        paused: whether it is paused on all nodes that were not resumed since.
        limit: how many jobs each of its workers runs at once, if somebody has said so; else each runs as many
            as its settings say.
        global_limit, rate_limit: what holds for the jobs of all workers together.
        rate_used: how many starts count against the rate now; None without one, or if it is partitioned.
        waiting: how many jobs may start.
        scheduled: how many wait for their time.
        sessions: its workers, by node and name.
        node_limits: as `limit`, for single nodes.
        node_pauses: nodes that were paused or resumed by name since the whole queue was.
    """

    queue: str
    paused: bool
    limit: int | None
    global_limit: GlobalLimit | None
    rate_limit: RateLimit | None
    rate_used: int | None
    waiting: int
    scheduled: int
    sessions: Sequence[SessionInfo]
    node_limits: Mapping[str, int] = field(default_factory=dict)
    node_pauses: Mapping[str, bool] = field(default_factory=dict)

    @property
    def running(self) -> list[str]:
        """The ids of all jobs that its workers have."""
        return [job_id for session in self.sessions for job_id in session.running]

    @property
    def slots(self) -> int:
        """How many jobs its workers can run at once: those that are there and not paused, and no more than
        the limit of the whole queue; 0 where there is no such worker. Pages, commands and metrics tell it.
        """
        found = sum(session.limit for session in self.sessions if session.is_alive and not session.paused)
        most = self.global_limit
        # A limit of each partition says nothing of all of them.
        return found if most is None or most.partition_by is not None else min(found, most.allowed)

    @property
    def nodes(self) -> dict[str, list[SessionInfo]]:
        """Its workers by node."""
        found: dict[str, list[SessionInfo]] = {}
        for session in self.sessions:
            found.setdefault(session.node, []).append(session)
        return found


@dataclass(frozen=True)
class Settlement:
    """What was settled for a queue, read out of the texts that it keeps.

    Attributes:
        texts: field by field.
    """

    texts: Mapping[str, str]

    @property
    def paused(self) -> bool:
        """Whether the whole queue is."""
        return self.texts.get("paused") == "1"

    @property
    def limit(self) -> int | None:
        """How many jobs a worker runs at once, if somebody has said so."""
        return _number(self.texts.get("limit"))

    @property
    def global_limit(self) -> GlobalLimit | None:
        """What an operator has set, else what the settings of workers declare."""
        return limits.decode_global(self.texts.get("global.set") or self.texts.get("global"))

    @property
    def rate_limit(self) -> RateLimit | None:
        """What an operator has set, else what the settings of workers declare."""
        return limits.decode_rate(self.texts.get("rate.set") or self.texts.get("rate"))

    def per_node(self, name: str) -> dict[str, str]:
        """Read a field that nodes have of their own: node to text."""
        start = f"{name}@"
        return {field[len(start) :]: text for field, text in self.texts.items() if field.startswith(start)}

    def session(
        self, name: str, about: str, running: Sequence[str], vitals: str = "", *, is_alive: bool = True
    ) -> SessionInfo:
        """Tell of a session what it says of itself and what was settled for it."""
        said = json.loads(about) if about else {}
        memory, lag_ms = read_vitals(vitals)
        node = said.get("node", "")
        limit = _number(self.per_node("limit").get(node)) or self.limit or said.get("limit", 0)
        started = said.get("started")
        return SessionInfo(
            session=name,
            node=node,
            pid=said.get("pid", 0),
            limit=limit,
            running=list(running),
            started_at=None if started is None else ms_to_datetime(started),
            paused=self._is_paused_for(node, said.get("since")),
            version=said.get("version", ""),
            functions=said.get("functions", ()),
            function_count=said.get("function_count", 0),
            not_aborted=said.get("not_aborted", ()),
            memory=memory or said.get("memory"),
            loop_lag=None if lag_ms is None else timedelta(milliseconds=lag_ms),
            is_alive=is_alive,
        )

    def _is_paused_for(self, node: str, since: int | None) -> bool:
        resumes = int(self.texts.get("resumes", 0)) + int(self.texts.get(f"resumes@{node}", 0))
        is_paused = self.texts.get(f"paused@{node}") or self.texts.get("paused")
        return is_paused == "1" or (since is not None and since == resumes)


def write_vitals(memory: int, lag_ms: int | None) -> str:
    """Write how a worker's process is: bytes in memory, and by how many ms its event loop is late."""
    return f"{memory}" if lag_ms is None else f"{memory}:{lag_ms}"


def read_vitals(text: str) -> tuple[int | None, int | None]:
    """Read what `write_vitals` wrote; nothing of those who do not tell, or in another way."""
    numbers = [int(part) for part in text.split(":") if part.isdecimal()]
    return (numbers[0] if numbers else None), (numbers[1] if len(numbers) > 1 else None)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
