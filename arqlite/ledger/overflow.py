"""What does not fit into a recorder's memory while the database is slow or away: as bytes, somewhere else."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import from_json, to_json

from .changes import ACCEPTED_COLUMNS, ATTEMPT_COLUMNS, JOB_COLUMNS, Batch, Moment, ToldRow, Values, layered

ROWS_OF_A_PACKET = 100
_RECORD, _RECORD_OF_ACCEPTED = JOB_COLUMNS.index("record"), ACCEPTED_COLUMNS.index("record")


def _moments_of(columns: Sequence[str]) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(columns) if name.endswith("_at"))


_MOMENTS: dict[tuple[str, ...], tuple[int, ...]] = {
    columns: _moments_of(columns) for columns in (JOB_COLUMNS, ACCEPTED_COLUMNS, ATTEMPT_COLUMNS)
}


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
        batch: of events.
        accepted: values of `ACCEPTED_COLUMNS`.
        columns: for each of these, values of further columns.
    """

    batch: Batch
    accepted: list[Values]
    columns: list[Mapping[str, Any]]


def packed_rows(batch: Batch) -> list[bytes]:
    """Pack a batch; its times are in ms."""
    rows = [row for layer in batch.layers for row in layer]
    packets = [
        {"t": rows[place : place + ROWS_OF_A_PACKET]} for place in range(0, len(rows), ROWS_OF_A_PACKET)
    ]
    counts = [[*key, *sums] for key, sums in batch.minutes.items()]
    if counts:
        packets.append({"m": counts})  # type: ignore[dict-item]
    return [_bytes_of(packet) for packet in packets]


def packed_accepted(rows: Sequence[Values], columns: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Pack the rows of jobs that were accepted; their times are in ms."""
    pairs = list(zip(rows, columns, strict=True))
    return [
        _bytes_of({"a": pairs[place : place + ROWS_OF_A_PACKET]})
        for place in range(0, len(pairs), ROWS_OF_A_PACKET)
    ]


def unpacked(packet: bytes, moment: Moment) -> Packet:
    """Read a packet, with times as a database takes them."""
    told = from_json(packet)
    rows = [
        ToldRow(
            _restored(job, JOB_COLUMNS, moment, _RECORD),
            None if attempt is None else _restored(attempt, ATTEMPT_COLUMNS, moment),
        )
        for job, attempt in told.get("t", ())
    ]
    minutes = {tuple(count[:4]): count[4:] for count in told.get("m", ())}
    pairs = told.get("a", ())
    accepted = [_restored(values, ACCEPTED_COLUMNS, moment, _RECORD_OF_ACCEPTED) for values, _ in pairs]
    return Packet(Batch(layered(rows), minutes), accepted, [columns for _, columns in pairs])


def _restored(
    values: list[Any], columns: tuple[str, ...], moment: Moment, record: int | None = None
) -> Values:
    for place in _MOMENTS[columns]:
        if values[place] is not None:
            values[place] = moment(values[place])
    if record is not None and values[record] is not None:
        values[record] = b64decode(values[record], altchars=b"-_")
    return tuple(values)


def _bytes_of(packet: Mapping[str, Any]) -> bytes:
    return to_json(packet, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True)
