"""What failures have in common: their exception, and the deepest line of the user's own code. No I/O."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..utils import truncate

_FRAME = re.compile(r'File "([^"\n]+)", line (\d+), in ([^\n]+)(?:\n([^\n]*))?')
# Code that its user did not write: installed packages, the standard library, what runs jobs.
_NOT_THEIRS = re.compile(
    r"[/\\](?:site|dist)-packages[/\\]|[/\\]lib[/\\]python\d|^<|"
    r"[/\\]arqlite[/\\](?:runtime|ledger|model|engine|outbox|testing|embedded|telemetry)[/\\]"
)
_FOLDED = re.compile(
    r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F-]{22}|\b(?=\w*\d)[0-9a-fA-F]{6,}\b|\d+"
)
_LONGEST_MESSAGE = 300
_FINGERPRINT_LENGTH = 16
_PARTS_OF_A_PATH = 3


class Frame(NamedTuple):
    """A line of code in a traceback.

    Attributes:
        place: `module:line in name`; the module is the end of the file's path.
        key: what is the same when lines above it come or go, and on hosts where the code lies elsewhere.
    """

    place: str
    key: str


def own_frame(traceback: str) -> Frame | None:
    """The deepest frame of the user's own code; None without one. Of chained exceptions the last counts."""
    end = len(traceback)
    # From its end: the deepest frames come last, and so does the last of chained exceptions.
    while (start := traceback.rfind('File "', 0, end)) >= 0:
        found = _FRAME.match(traceback, start)
        if found is not None and not _NOT_THEIRS.search(found[1]):
            return _frame(*found.groups())
        end = start
    return None


def _frame(path: str, line: str, name: str, code: str | None) -> Frame:
    parts = re.split(r"[/\\]", path.removesuffix(".py"))[-_PARTS_OF_A_PATH:]
    module = ".".join(one for one in parts if one and not one.endswith(":"))
    return Frame(f"{module}:{line} in {name}", f"{_file(parts)} {name} {(code or '').strip()}")


def _file(parts: Sequence[str]) -> str:
    """The name of a file without its folders, but for one that many share."""
    return ".".join(parts[-2:]) if parts[-1].startswith("__") else parts[-1]


def folded(message: str) -> str:
    """A message on one line, with `#` for numbers, ids and addresses in it."""
    return truncate(_FOLDED.sub("#", " ".join(message.split())), _LONGEST_MESSAGE)


def fingerprint_of(queue: str, function: str, error_type: str, frame: Frame | None, message: str) -> str:
    """A short text that failures share which are the same one; without a frame the folded message tells."""
    told = [queue, function, error_type, folded(message) if frame is None else frame.key]
    return hashlib.sha256("\0".join(told).encode(errors="replace")).hexdigest()[:_FINGERPRINT_LENGTH]
