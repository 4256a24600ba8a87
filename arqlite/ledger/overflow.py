"""What does not fit into a recorder's memory while the database is slow or away: as bytes, somewhere else."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from .changes import ACCEPTED_COLUMNS, JOB_COLUMNS, Run, Told, Values, in_full

ROWS_OF_A_PACKET = 100
_RECORD, _RECORD_OF_ACCEPTED = JOB_COLUMNS.index("record"), ACCEPTED_COLUMNS.index("record")


class Overflow(Protocol):
    """A bounded place outside of the process that survives it; all recorders of a queue share one.

    What is put there twice, or taken twice, does no harm but to counts: rows move forward only.
    """

    async def put(self, packed: list[bytes]) -> None:
        """Keep packets behind those that are there; beyond its bound, the oldest are dropped.

        Raises:
            Exception: it is out of reach, and nothing was kept.
        """

    async def take(self, limit: int) -> list[tuple[Any, bytes]]:
        """Look at the oldest packets, at most so many; nothing if another recorder is at it.

        Returns:
            A token and the bytes of each. They stay until they are forgotten.
        """

    async def forget(self, tokens: list[Any]) -> None:
        """Drop packets that were taken and written."""


class Packet(NamedTuple):
    """Rows on their way back from an overflow.

    Attributes:
        told: of runs.
        accepted: values of `ACCEPTED_COLUMNS`, in the order of ids.
        columns: for each of these, values of further columns.
    """

    told: list[Run]
    accepted: list[Values]
    columns: list[Mapping[str, Any]]


def packed_runs(told: Sequence[Told]) -> list[bytes]:
    """Pack what was told of runs. Times are as one database has them: it goes back to the same one."""
    return [_bytes_of({"t": list(map(in_full, part))}) for part in _parts(told)]


def packed_accepted(pairs: Sequence[tuple[Values, Mapping[str, Any]]]) -> list[bytes]:
    """Pack jobs that were accepted, with the values of further columns, in the order of ids."""
    return [_bytes_of({"a": part}) for part in _parts(pairs)]


def unpacked(packet: bytes) -> Packet:
    """Read a packet."""
    told = from_json(zlib.decompress(packet))
    runs: list[Run] = [
        (_with_bytes(job, _RECORD), attempt and tuple(attempt), tally and tuple(tally))
        for job, attempt, tally in told.get("t", ())
    ]
    pairs = told.get("a", ())
    accepted = [_with_bytes(values, _RECORD_OF_ACCEPTED) for values, _ in pairs]
    return Packet(runs, accepted, [columns for _, columns in pairs])


def _with_bytes(values: list[Any], place: int) -> Values:
    if values[place] is not None:
        values[place] = b64decode(values[place], altchars=b"-_")
    return tuple(values)


def _parts(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[place : place + ROWS_OF_A_PACKET] for place in range(0, len(rows), ROWS_OF_A_PACKET)]


def _bytes_of(packet: Mapping[str, Any]) -> bytes:
    # Rows are much alike: the quickest level makes of them a tenth.
    return zlib.compress(to_json(packet, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True), 1)
