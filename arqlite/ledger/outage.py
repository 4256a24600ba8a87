"""Which errors say that the database is away, and not that a statement is wrong."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""No connection, no free connection in time, or a file that another process keeps locked."""
