"""What arq writes: the envelopes of jobs and results, and how to read them.

arq pickles by default. Loading a pickle may run any code that whoever wrote it chose, so it is done in
one place, here, and only for those who asked for arq's data: `arqlite import-arq` and `ArqBridge`.
"""

from __future__ import annotations

import asyncio
import builtins
import importlib
import io
import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import errors
from ..errors import DeserializationError
from ..model.failures import message_of
from ..typing import Deserializer

CRON_PREFIX = "cron:"
_Shape = TypeVar("_Shape")

# What `arqlite` writes into arq's lock of a job that it runs on behalf of arq's producers.
OUR_LOCK = b"arqlite"
# Where such a job stands in arq's queue: in the last second of the year 9999, which listings can show.
HELD_SCORE = 253_402_300_799_000
# A job that `Job.abort` of arq pulled to the front has this score.
ABORTED_SCORE = 1
UNKNOWN_FUNCTION = "<unknown>"

# Classes whose making cannot do harm; a dry run looks into pickles that need no others.
_HARMLESS = {
    "_codecs": {"encode"},
    "builtins": {"bytearray", "complex", "frozenset", "range", "set", "slice"},
    "collections": {"OrderedDict", "deque"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "ipaddress": {"IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network"},
    "pathlib": {"Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"},
    "uuid": {"SafeUUID", "UUID"},
}

_CANCELLED = ("asyncio.exceptions", "CancelledError")


class NeedsClass(Exception):
    """A pickle was not looked into, since that needs this class of an application."""


@dataclass(frozen=True, slots=True)
class ArqJob:
    """A job as arq wrote it.

    Attributes:
        function: the name to run it by.
        args, kwargs: what to call it with.
        first_try: the number of its first try, if one was asked for.
        enqueue_ms: when it was enqueued, in ms since 1970.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    first_try: int | None
    enqueue_ms: int


class Reader:
    """Reads arq's envelopes.

    Args:
        deserializer: how the application wrote them; None is arq's default, pickle. Then pickles are
            told by their first byte, and `other` reads what is none.
        other: how the application writes envelopes now, if it does so in a way of its own.
        cautious: whether to leave pickles alone that need classes of an application.
    """

    def __init__(
        self,
        deserializer: Deserializer | None = None,
        *,
        other: Deserializer | None = None,
        cautious: bool = False,
    ) -> None:
        self._deserializer = deserializer
        self._other = other
        self._cautious = cautious

    def job(self, body: bytes) -> ArqJob:
        """Read a job.

        Raises:
            DeserializationError: these bytes are none, or need what is not there; the message says why.
            NeedsClass: a cautious reader met a class of an application.
        """
        return self._read(body, _job_of)

    def result(self, body: bytes) -> dict[str, Any]:
        """Read a result, a dict with arq's keys.

        Raises:
            DeserializationError, NeedsClass: see `job`.
        """
        return self._read(body, _result_of)

    def function(self, body: bytes) -> str | None:
        """Tell the name of a job's function, without running anything of a pickle; None when it hides."""
        if self._deserializer is None and _looks_pickled(body):
            return function_in_pickle(body)
        try:
            return self.job(body).function
        except DeserializationError:
            return None

    def _read(self, body: bytes, shape: Callable[[Any], _Shape]) -> _Shape:
        try:
            return shape(self._load(body))
        except (NeedsClass, DeserializationError):
            raise
        except Exception as error:
            raise DeserializationError(f"{type(error).__name__}: {message_of(error)}") from error

    def _load(self, body: bytes) -> Any:
        if self._deserializer is not None:
            return self._deserializer(body)
        if _looks_pickled(body):
            return (_CautiousUnpickler if self._cautious else _Unpickler)(io.BytesIO(body)).load()
        if self._other is not None:
            return self._other(body)
        raise DeserializationError("these bytes are no pickle: name the deserializer that wrote them")


class _Unpickler(pickle.Unpickler):
    """Finds arq's own classes in arqlite, so that arq need not be installed."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "arq" or module.startswith("arq."):
            try:
                return getattr(importlib.import_module(f"arqlite{module[3:]}"), name)
            except (ImportError, AttributeError):
                pass  # something that only arq has
        return super().find_class(module, name)


class _CautiousUnpickler(_Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _HARMLESS.get(module, ()) and not _is_known_error(module, name):
            raise NeedsClass(f"{module}.{name}")
        return super().find_class(module, name)


def _is_known_error(module: str, name: str) -> bool:
    """Tell whether it is a built-in exception or one of arq's that arqlite has: making one runs nothing."""
    home: Any = builtins if module == "builtins" else errors if module.startswith("arq.") else None
    found = asyncio.CancelledError if (module, name) == _CANCELLED else getattr(home, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def function_in_pickle(body: bytes) -> str | None:
    """Find a job's function name in a pickled envelope without running it: the text after the key 'f'."""
    is_next = False
    memo: dict[int, str | None] = {}
    pushed: str | None = None
    try:
        for opcode, argument, _ in pickletools.genops(body):
            if opcode.name == "MEMOIZE":
                memo[len(memo)] = pushed
                continue
            if opcode.name.endswith("PUT"):
                memo[int(argument or 0)] = pushed
                continue
            # A text that was there before, the key 't' say, is not written again.
            is_known = opcode.name.endswith("GET")
            pushed = (
                memo.get(int(argument or 0)) if is_known else argument if isinstance(argument, str) else None
            )
            if pushed is not None:
                if is_next:
                    return pushed
                is_next = pushed == "f"
    except Exception:  # noqa: BLE001 (whatever is wrong with these bytes: they hide it)
        return None
    return None


def _looks_pickled(body: bytes) -> bool:
    # Protocol 2 and later begin so. In msgpack it would be an empty dict, which no envelope is.
    return body[:1] == b"\x80" and body[-1:] == b"."


def _job_of(envelope: Any) -> ArqJob:
    function, kwargs = envelope["f"], envelope["k"]
    first_try, enqueue_ms = envelope.get("t"), int(envelope["et"])
    if not isinstance(function, str):
        raise TypeError(f"its function is named by {function!r}")
    if not isinstance(first_try, int | None):
        raise TypeError(f"its first try is {first_try!r}")
    if not isinstance(kwargs, dict) or not all(isinstance(name, str) for name in kwargs):
        raise TypeError("its keyword arguments are no dict of names")
    return ArqJob(function, tuple(envelope["a"]), kwargs, first_try, enqueue_ms)


def _result_of(envelope: Any) -> dict[str, Any]:
    job = _job_of({**envelope, "k": envelope["k"]})
    first_try = envelope["t"] if isinstance(envelope["t"], int) else 1
    return {
        "f": job.function, "a": job.args, "k": job.kwargs, "t": first_try, "et": job.enqueue_ms,
        "s": bool(envelope["s"]), "r": envelope["r"], "st": int(envelope["st"]), "ft": int(envelope["ft"]),
        "q": envelope.get("q"),
    }  # fmt: skip
