"""`--processes` and `--watch`: a parent that starts workers, tells them to end, and replaces them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from signal import Signals

from ..probes import Signs
from ..signals import signals_handled
from .children import Child, Ended

logger = logging.getLogger("arqlite.supervisor")

Watch = Callable[[asyncio.Event], AsyncIterator[Collection[str]]]
"""Yields the files that changed, each time some did, until the event is set."""

# A mistake in the command or in the settings; the same again would end the same.
MISTAKE = 2

NUMBER = "ARQLITE_PROCESS"
"""The variable that tells a child which one it is, from 1 on."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A child that worked for this long did not crash because it crashed before.
_STEADY_S = 60.0
# Bytecode is held to be current by the second and the size of its source; an edit may change neither.
_FRESH_CODE = {"PYTHONDONTWRITEBYTECODE": "1"}


class Supervisor:
    """Keeps a number of workers going, each a process of its own that runs this very command.

    A child that crashed is replaced, after pauses that grow from 0.5 s to 30 s until one lives for a minute.
    One that ended well, as after a burst, is not. With `watch` each is replaced when files change, after it
    had its `job_completion_wait`; one that ended by itself, well or not, is replaced then, too, and one that
    was killed after a pause.

    A mistake in the command or the settings ends them all, if none could run with it yet.

    Args:
        count: how many.
        watch: tells when files change; None never.
        start: starts a child that has these variables besides ours; None is `Child.start`.
    """

    def __init__(
        self,
        count: int,
        watch: Watch | None = None,
        start: Callable[[Mapping[str, str]], Awaitable[Child]] | None = None,
    ) -> None:
        self._count = count
        self._watch = watch
        self._start = start
        self._children: dict[int, Child] = {}
        self._told: list[Signals] = []
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        self._changes = 0
        self._has_failed = False
        self._came_up = False

    async def run(self) -> int:
        """Run until all have ended and none is to be replaced; return 0 if all ended well, else 1."""
        with signals_handled(self.handle_sig):
            watching = asyncio.create_task(self._follow_changes())
            await asyncio.sleep(0)  # it looks from here on; what changes later is later than any child
            keeping = [asyncio.create_task(self._keep(number)) for number in range(1, self._count + 1)]
            try:
                await asyncio.wait(keeping)
            except asyncio.CancelledError:
                self.handle_sig(Signals.SIGTERM)
                await asyncio.wait(keeping)
                raise
            finally:
                self._stopping.set()
                await watching
        return int(self._has_failed or any(task.result() != 0 for task in keeping))

    def handle_sig(self, signum: Signals) -> None:
        """Tell all to shut down; a second time, not to wait for their jobs. A third ends those that hang."""
        self._told.append(signum)
        self._stop()
        if self._children:
            rest = "waiting for" if len(self._told) == 1 else "again, hurrying"
            logger.info("%s: %s %s", signum.name, rest, _worker_processes(len(self._children)))

    def signs(self) -> Signs:
        """Tell how it goes: started once all have come up, running as many processes as there are."""
        are_ready = len(self._children) == self._count and all(
            child.is_ready for child in self._children.values()
        )
        return Signs(
            queue="",
            has_started=are_ready,
            has_turned=are_ready,
            is_draining=bool(self._told),
            running=len(self._children),
            max_jobs=self._count,
        )

    def _stop(self) -> None:
        self._stopping.set()
        self._changed.set()
        for child in self._children.values():
            child.tell(self._told[-1], len(self._told))

    async def _keep(self, number: int) -> int:
        """Have one worker going as long as there shall be one; return how the last one ended."""
        pause_s = _FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            ended = await self._work(number)
            if self._told:
                return ended.code
            if ended.was_told:  # because of a change
                continue
            # Who was killed, for want of memory say, was not ended by what stands in the files.
            if self._watch is not None and ended.code >= 0:
                await self._until_changed(number, ended)
            elif ended.code == 0:
                return 0
            elif ended.code == MISTAKE and not self._any_came_up():
                self._give_up(number)
            else:
                steady = time.monotonic() - began > _STEADY_S
                pause_s = _FIRST_PAUSE_S if steady else pause_s
                await self._pause(number, ended, pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            if self._told:
                return ended.code

    async def _work(self, number: int) -> Ended:
        """Run a child to its end."""
        changes = self._changes
        try:
            child = await (self._start or Child.start)(self._environment(number))
        except OSError as error:  # no process or no memory to be had now
            logger.error("worker process %d cannot be started: %s", number, error)  # noqa: TRY400 (no bug)
            return Ended(os.EX_OSERR, was_told=False)
        logger.info("worker process %d has pid %d", number, child.pid)
        self._children[number] = child
        try:
            if self._told:
                child.tell(self._told[-1], len(self._told))
            elif self._changes != changes:
                child.tell(Signals.SIGTERM, 1)
            return await child.ended()
        finally:
            self._came_up = self._came_up or child.is_ready
            del self._children[number]

    def _environment(self, number: int) -> dict[str, str]:
        return {NUMBER: str(number)} | ({} if self._watch is None else _FRESH_CODE)

    def _any_came_up(self) -> bool:
        # What runs was started before the mistake was made, and is not ended for it.
        return self._came_up or any(child.is_ready for child in self._children.values())

    async def _until_changed(self, number: int, ended: Ended) -> None:
        say = logger.info if ended.code == 0 else logger.error
        say("worker process %d %s, waiting for a change", number, ended)
        await self._changed.wait()

    async def _pause(self, number: int, ended: Ended, seconds: float) -> None:
        logger.error("worker process %d %s, starting another in %0.1f s", number, ended, seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()  # or the end of all

    def _give_up(self, number: int) -> None:
        logger.error("worker process %d ended by a mistake that another start would not mend", number)
        self._told.append(Signals.SIGTERM)
        self._stop()

    async def _follow_changes(self) -> None:
        if self._watch is None:
            return
        try:
            async for files in self._watch(self._stopping):
                self._reload(files)
        except Exception:
            logger.exception("cannot watch for changes any more, ending")
            self._has_failed = True
            self.handle_sig(Signals.SIGTERM)

    def _reload(self, files: Collection[str]) -> None:
        if self._told:
            return
        logger.info("files changed, reloading: %s", _listed(files))
        self._changes += 1
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()
        for child in self._children.values():
            child.tell(Signals.SIGTERM, 1)


def _listed(files: Collection[str]) -> str:
    first = os.path.relpath(min(files))
    return first if len(files) == 1 else f"{first} and {len(files) - 1} more"


def _worker_processes(count: int) -> str:
    return f"{count} worker process{'' if count == 1 else 'es'}"
