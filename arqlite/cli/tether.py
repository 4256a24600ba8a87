"""`python -m arqlite.cli.tether FD ARGS...`: run `arqlite ARGS...` until a pipe is closed.

The pipe's other end is the parent's. However that ends, this process is told to, too, although it is in a
session of its own and hears no Ctrl-C of the terminal.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def run(fd: int, args: list[str]) -> None:
    """Run a command; SIGTERM comes when the pipe is closed."""
    os.set_inheritable(fd, False)
    threading.Thread(target=_end_with, args=(fd,), name="arqlite:tether", daemon=True).start()
    from . import main

    main(args=args)


def _end_with(fd: int) -> None:
    while os.read(fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2:])
