"""Plain job functions: where each is called is decided once, and jobs of coroutine functions pay nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..errors import ConfigurationError
from ..model.functions import Function, is_coroutine_function
from ..service import Service
from .processes import JobProcesses
from .run import Run
from .threads import PlainThreads


class PlainFunctions(Service):
    """Puts a coroutine function in the place of each plain one; the rest stay what they are.

    Args:
        functions: what the worker was given, by name.
        max_jobs: how many slots, and so threads, there are.
        cpu_processes: how many processes; one per processor for None.
        begins: called with a run when its function begins in a process.

    Attributes:
        table: what the worker can run, by name.

    Raises:
        ConfigurationError: a function with `cpu=True` cannot run in a process.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        *,
        max_jobs: int,
        cpu_processes: int | None,
        begins: Callable[[Run], None],
    ) -> None:
        super().__init__()
        self._threads: PlainThreads | None = None
        self._processes: JobProcesses | None = None
        if heavy := [function for function in functions.values() if function.cpu]:
            self._processes = JobProcesses(map(_checked, heavy), cpu_processes, begins)
        if any(not function.cpu and _is_plain(function) for function in functions.values()):
            self._threads = PlainThreads(max_jobs)
        self.table = {name: self._prepared(function) for name, function in functions.items()}

    def grow(self, max_jobs: int) -> None:
        """There are so many slots now."""
        if self._threads is not None:
            self._threads.grow(max_jobs)

    async def stop(self) -> None:
        """End the processes, and the threads that are idle."""
        if self._threads is not None:
            self._threads.close()
        if self._processes is not None:
            await self._processes.stop()

    def _prepared(self, function: Function) -> Function:
        if function.cpu:
            assert self._processes is not None  # noqa: S101 (made above)
            return _with(function, _in_process(function, self._processes))
        if _is_plain(function):
            assert self._threads is not None  # noqa: S101 (made above)
            return _with(function, _in_thread(function, self._threads))
        return function


Prepared = Callable[..., Coroutine[Any, Any, Any]]


def _in_thread(function: Function, threads: PlainThreads) -> Prepared:
    target = function.coroutine

    async def call(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        return await threads.call(target, ctx, args, kwargs)

    return _like(target, call)


def _in_process(function: Function, processes: JobProcesses) -> Prepared:
    name = function.name

    async def call(_ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        return await processes.call(name, args, kwargs)

    return _like(function.coroutine, call)


def _like(target: Callable[..., Any], call: Prepared) -> Prepared:
    """Let a call go by the name of its target, and take the arguments that it takes."""
    functools.update_wrapper(call, target, updated=())
    with contextlib.suppress(TypeError, ValueError):  # some builtins tell nothing of their arguments
        call.__signature__ = inspect.signature(target, follow_wrapped=False)  # type: ignore[attr-defined]
    return call


def _with(function: Function, coroutine: Prepared) -> Function:
    return dataclasses.replace(function, coroutine=coroutine)


def _is_plain(function: Function) -> bool:
    return not is_coroutine_function(function.coroutine)


def _checked(function: Function) -> Function:
    if not _is_plain(function):
        raise ConfigurationError(
            f'"{function.name}" has cpu=True, which is for plain functions, and it is a coroutine function'
        )
    return function
