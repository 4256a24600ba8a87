"""Ends what runs in a thread: an exception is raised into it, once, and never into what comes after it.

Python can raise an exception in another thread, between two of its bytecodes. Whether it arrives in time
is the caller's problem: the function may have ended meanwhile, and the thread may run somebody else's. So
there is one permit. Who wants to interrupt takes it first; the thread takes it back when the function has
ended. If it is gone by then, the thread waits until the exception was sent, and throws it away.
No Python lock is held where the exception may arrive: it could stay locked for ever.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import JobInterrupted

_SENDING_TAKES_S = 0.0002


class Trip(Protocol):
    """Something that the call waits for in the event loop."""

    def cancel(self) -> None:
        """End it."""


class InterruptibleCall:
    """One call in a thread, to be interrupted from the event loop at most once.

    Args:
        function: what to call, without arguments.

    Attributes:
        value: what it returned, if it `has_returned`.
        error: what it raised; `JobInterrupted` if it never began.
        is_wanted: whether its end was asked for.
        thread_id: the thread it runs in; None before.
        trips: what it waits for in the event loop; used only there.
    """

    __slots__ = (
        "_function", "_is_sent", "_permit",
        "error", "has_returned", "is_wanted", "thread_id", "trips", "value",
    )  # fmt: skip

    def __init__(self, function: Callable[[], Any]) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self.has_returned = False
        self.is_wanted = False
        self.thread_id: int | None = None
        self.trips: set[Trip] = set()
        self._function = function
        self._permit = [None]  # list.pop is atomic, and an exception cannot arrive in the middle of it
        self._is_sent = False

    def interrupt(self) -> None:
        """Ask the call to end. In the event loop; does nothing the second time."""
        if self.is_wanted:
            return
        self.is_wanted = True
        if self._take_permit():
            if self.thread_id is not None:  # else it sees `is_wanted` before it begins
                _raise_in(self.thread_id, JobInterrupted)
            self._is_sent = True
        for trip in tuple(self.trips):
            trip.cancel()

    def __call__(self) -> None:
        """Run in the calling thread. Never raises, and leaves nothing behind that could arrive later."""
        try:
            self._run()
            self._close()
        except JobInterrupted as late:  # the only one there can be: it came after the function's end
            if not self.has_returned and self.error is None:
                self.error = late

    def shield(self) -> bool:
        """Put an interrupt off until `unshield`. In the call's thread.

        Returns False, or raises it, when the interrupt was sent before: there is no other one.
        """
        if self._take_permit():
            return True
        while not self._is_sent:
            time.sleep(_SENDING_TAKES_S)
        return False

    def unshield(self) -> None:
        """Let interrupts through again, and raise the one that was put off."""
        self._permit.append(None)
        if self.is_wanted and self._take_permit():
            self._is_sent = True
            raise JobInterrupted

    def _run(self) -> None:
        self.thread_id = threading.get_ident()
        if self.is_wanted:
            self.error = JobInterrupted()
            return
        try:
            self.value = self._function()
            self.has_returned = True
        except BaseException as error:  # noqa: BLE001 (whatever a job raises is its outcome)
            self.error = error

    def _close(self) -> None:
        if self._take_permit():
            return
        while not self._is_sent:
            time.sleep(_SENDING_TAKES_S)
        _raise_in(threading.get_ident(), None)

    def _take_permit(self) -> bool:
        try:
            self._permit.pop()
        except IndexError:
            return False
        return True


def _raise_in(thread_id: int, error: type[BaseException] | None) -> None:
    """Raise an exception in a thread as soon as it runs bytecode again; None takes it back."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), None if error is None else ctypes.py_object(error)
    )
