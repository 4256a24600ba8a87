"""What each request of the dashboard carries: whose it is, and what it may see and do."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, cast

from starlette.requests import Request

from ..console import Console
from ..errors import ConfigurationError
from .discretion import Discreet, Narrow
from .sharing import Shared

VERBS: Final = frozenset(
    {
        "jobs.retry", "jobs.cancel", "jobs.delete", "queues.pause", "queues.scale", "queues.purge",
        "workers.stop", "crons.run", "crons.pause",
    }
)  # fmt: skip
"""Everything that somebody may be allowed to do; to look is allowed to all who are let in."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who looks, and what they may do.

    Attributes:
        user: their name, as the audit has it.
        can: verbs of `VERBS`.
        queues: the keys of the queues that they see; None is all.
        shows_arguments: whether they see args, kwargs, meta and results at all.

    Raises:
        ConfigurationError: there is no such verb, or the queues are a text.
    """

    user: str = ""
    can: Set[str] = field(default_factory=frozenset)
    queues: Collection[str] | None = None
    shows_arguments: bool = True

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.can) - VERBS):
            known = ", ".join(sorted(VERBS))
            raise ConfigurationError(f"there is no right {', '.join(unknown)}; there are {known}")
        if isinstance(self.queues, str):
            raise ConfigurationError(f"queues must be keys of queues: [{self.queues!r}]")
        object.__setattr__(self, "can", frozenset(self.can))

    def may(self, verb: str) -> bool:
        """Whether they may do this."""
        return verb in self.can

    def sees(self, queue: str) -> bool:
        """Whether they see a queue."""
        return self.queues is None or queue in self.queues


READ_ONLY: Final = Access()
OPERATOR: Final = Access(can=VERBS - {"jobs.delete", "queues.purge"})
ADMIN: Final = Access(can=VERBS)


@dataclass(frozen=True, slots=True)
class Look:
    """What a dashboard was made with, as pages need it.

    Attributes:
        title: above each page.
        trace_url: where a trace is seen, with `{trace_id}` in it; empty for nowhere.
        bulk_limit: to so many jobs one request does something.
        is_read_only: whether nobody may do anything.
        named: the paths of its settings, by which a command finds them; empty where nobody said.
    """

    title: str = "arqlite"
    trace_url: str = ""
    bulk_limit: int = 5_000
    is_read_only: bool = False
    named: Sequence[str] = ()


def access_of(request: Request) -> Access:
    """Who looks; the guard has let them in."""
    return cast("Access", request.state.access)


def console_of(request: Request) -> Console:
    """The console, in the name of who looks, with the queues and the contents of jobs that they see."""
    access = access_of(request)
    console = cast("Console", request.app.state.console).acting(access.user)
    if access.queues is not None:
        console = cast("Console", Narrow(console.only(access.queues)))
    readings = getattr(request.app.state, "readings", None)
    if readings is not None:
        sees = None if access.queues is None else frozenset(access.queues)
        console = cast("Console", Shared(console, readings, sees))
    return console if access.shows_arguments else cast("Console", Discreet(console))


def look_of(request: Request) -> Look:
    """What the dashboard was made with."""
    return cast("Look", request.app.state.look)
