"""Cursors: where a page ended, as a text that goes through URLs and JSON unharmed. Pure functions."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ..errors import ConfigurationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Key(NamedTuple):
    """A row's place in a list: the lists are in this order, backwards.

    Attributes:
        at: when it was created.
        job_id, queue: which it is, for those that were created at the same moment.
    """

    at: datetime
    job_id: str
    queue: str


def cursor_of(kind: str, key: Key) -> str:
    """The cursor after a row; `kind` tells lists of different orders apart."""
    told = [kind, (key.at - _EPOCH) // _MICROSECOND, key.job_id, key.queue]
    packed = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def key_of(kind: str, cursor: str) -> Key:
    """The place that a cursor means.

    Raises:
        ConfigurationError: it is none, or of a list in another order.
    """
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        told, microseconds, job_id, queue = json.loads(packed)
        if told != kind or type(microseconds) is not int or not isinstance(job_id, str):
            raise ValueError(f"it is a cursor of {told!r}")
        if not isinstance(queue, str) or "\0" in job_id + queue:
            raise ValueError("it names no job")
        return Key(_EPOCH + microseconds * _MICROSECOND, job_id, queue)
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise ConfigurationError(f"{cursor!r} is no cursor of this list") from error
