"""What a checkup is told: plain facts about queues, servers and ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from .views import LedgerInfo, QueueState, ServerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue.

    Attributes:
        state: how it is now, with its workers.
        cron_jobs: how many it has.
        lag: how far its rows are behind.
        waiting_functions: of some of the jobs that could start; empty where nobody looked.
        completion_wait: for how many seconds its workers let jobs end; None where no settings are known.
        longest_timeout: for how many seconds a job may run; infinity for ever.
        longest_function: which may run so long.
        settings_fault: why no worker can start with these settings; empty if one can.
        is_embedded: whether its Redis is one that arqlite starts by itself.
    """

    state: QueueState
    cron_jobs: int = 0
    lag: timedelta = timedelta()
    waiting_functions: Sequence[str] = ()
    completion_wait: float | None = None
    longest_timeout: float = 0.0
    longest_function: str = ""
    settings_fault: str = ""
    is_embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """A Redis server. What it does not tell is empty or 0, and nothing is made of it.

    Attributes:
        info: what is shown of it.
        redis_version: the version of Redis whose commands it has, major and minor.
        user: who asks, as its access list has it.
        missing_rights: what that user may not do, as an access list would grant it: `+info`, `&aq:*`.
        skew: by how much its clock is ahead of this host's; negative where it is behind.
        most_clients: how many connections it takes.
        pool_size: how many connections one pool may open; 0 where it has no limit.
        is_embedded: whether it is one that arqlite started by itself.
        is_public: whether it is reached by an address that everybody may reach.
        has_tls: whether what goes there is encrypted.
    """

    info: ServerInfo
    redis_version: tuple[int, int] | None = None
    user: str = ""
    missing_rights: Sequence[str] = ()
    skew: timedelta | None = None
    most_clients: int = 0
    pool_size: int = 0
    is_embedded: bool = False
    is_public: bool = False
    has_tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """A ledger.

    Attributes:
        info: what is shown of it.
        tables: what is wrong with its tables, in words; empty for nothing.
        skew: as that of a server; None where the database has no clock of its own.
        most_clients: how many connections the database takes; 0 where that is no matter.
        pool_size: how many of them one pool may open.
    """

    info: LedgerInfo
    tables: str = ""
    skew: timedelta | None = None
    most_clients: int = 0
    pool_size: int = 0
