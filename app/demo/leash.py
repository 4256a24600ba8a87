"""Run a program that ends when its parent does: `python -I -S leash.py PARENT_PID PROGRAM ARGUMENT...`.

On Linux the kernel then sends SIGTERM to the program if the parent is killed; elsewhere the program merely
runs. A script of its own, so that nothing has to run between fork and exec, and small, so that it costs few
milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Put this process on the leash and become the program."""
    parent, program = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        _ask_for_signal_at_parents_death()
        if os.getppid() != parent:  # it died before we asked
            return
    os.execv(program[0], program)  # noqa: S606 (the program is what our parent named)


def _ask_for_signal_at_parents_death() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv)
