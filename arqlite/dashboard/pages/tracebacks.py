"""A traceback to read: the frames of other people's code folded away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final

_FRAME: Final = re.compile(r'^\s+File "(?P<file>.+)", line \d+, in ')
_FOREIGN: Final = re.compile(r"site-packages|dist-packages|[/\\]lib[/\\]python\d|<frozen |[/\\]arqlite[/\\]")


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of a traceback that belong together.

    Attributes:
        text: them.
        frames: how many frames they are; 0 for what stands around.
        is_foreign: whether they are of libraries, and not of the user's own code.
    """

    text: str
    frames: int = 0
    is_foreign: bool = False


def folded(traceback: str) -> Sequence[Passage]:
    """Cut a traceback into passages: own code, foreign code, and what stands around them."""
    passages = []
    pieces = _pieces(traceback.rstrip("\n").split("\n"))
    for (_, is_foreign), group in groupby(pieces, key=itemgetter(1, 2)):
        run = list(group)
        text = "\n".join(text for text, _, _ in run)
        passages.append(Passage(text, sum(is_frame for _, is_frame, _ in run), is_foreign))
    return passages


def _pieces(lines: Sequence[str]) -> Iterator[tuple[str, bool, bool]]:
    """Each frame with its lines, and what stands around: the text, if it is a frame, and if a foreign one."""
    kept: list[str] = []
    is_frame = is_foreign = False
    for line in lines:
        frame = _FRAME.match(line)
        # What a frame shows is indented deeper than "File"; a line that is not ends it.
        if kept and (frame or not line.startswith("   ")) and (is_frame or frame):
            yield "\n".join(kept), is_frame, is_foreign
            kept, is_frame, is_foreign = [], False, False
        if frame:
            is_frame, is_foreign = True, bool(_FOREIGN.search(frame["file"]))
        kept.append(line)
    if kept:
        yield "\n".join(kept), is_frame, is_foreign
