"""What can end the demo early, in words for the person in front of it."""

from __future__ import annotations

from pathlib import Path

from app.errors import ApplicationError


class DemoError(ApplicationError):
    """The demo cannot go on; the message says why and what to do."""

    exit_code = 1


class CannotStartError(DemoError):
    """What the person asked for cannot be used; nothing was started."""

    exit_code = 2


class ProcessDiedError(DemoError):
    """A process of the demo ended by itself; the message shows its last log lines."""

    def __init__(self, name: str, returncode: int, log: Path, last_lines: list[str]) -> None:
        self.name = name
        self.returncode = returncode
        self.log = log
        self.last_lines = last_lines
        how = f"was ended by signal {-returncode}" if returncode < 0 else f"ended with exit code {returncode}"
        told = "\n".join(f"  {line}" for line in last_lines) or "  (it said nothing)"
        super().__init__(f"the {name} {how}. Its last lines:\n{told}\nAll of them: {log}")
