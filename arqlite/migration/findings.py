"""What a look through an application found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Level(StrEnum):
    """How much a finding matters.

    `differs` behaves otherwise with arqlite, mostly without an error. `check` may do so; a person has to
    look. `info` is good to know.
    """

    DIFFERS = "differs"
    CHECK = "check"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place of an application.

    Attributes:
        path, line: where.
        level: how much it matters.
        what: what stands there.
        why: what is different with arqlite.
        fix: what to do about it.
    """

    path: Path
    line: int
    level: Level
    what: str
    why: str
    fix: str

    def as_dict(self) -> dict[str, str | int]:
        """Give it as plain data."""
        return {
            "path": str(self.path), "line": self.line, "level": self.level.value, "what": self.what,
            "why": self.why, "fix": self.fix,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.level}: {self.what}\n    {self.why}\n    {self.fix}"
