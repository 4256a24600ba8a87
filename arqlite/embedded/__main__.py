"""`python -m arqlite.embedded status|stop [DATA_DIR]`: look at the project's server, or end it."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import EmbeddedServerError
from .server import status, stop


def main(arguments: list[str]) -> int:
    """Run one command and return the exit code: 0 done, 1 no server was running, 2 wrong use or folder."""
    match arguments:
        case ["status" | "stop" as command, *rest] if len(rest) <= 1:
            data_dir = Path(rest[0]) if rest else None
        case _:
            sys.stderr.write(f"{__doc__}\n")
            return 2
    if command == "stop":
        was_running = stop(data_dir)
        sys.stdout.write("stopped\n" if was_running else "no server was running\n")
        return 0 if was_running else 1
    info = status(data_dir)
    sys.stdout.write(f"{info}\n" if info else "no server is running\n")
    return 0 if info else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedServerError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
