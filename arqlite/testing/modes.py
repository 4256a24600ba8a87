"""Where jobs go that a test enqueues: nowhere, for they run at once, or to their queues."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

from ..engine import NewJob
from ..enqueuing import Diversion, diversion
from ..errors import ConfigurationError
from ..model.calls import Call
from ..offering import QueueClient
from .inline import InlineJob, run_inline

Mode = Literal["inline", "manual"]
F = TypeVar("F", bound=Callable[..., Any])


class testing_mode:  # noqa: N801 (pytest would take a function of this name for a test)
    """Say what becomes of jobs that are enqueued in a block; also `async with`, and a decorator of functions.

        with testing_mode("inline"):
            await place_order(pool, 1)  # its jobs have run

    It holds for the caller and the tasks it starts inside, and the mode before holds again afterwards.
    Neither mode starts a worker, a cron scheduler or any other service.

    Args:
        mode: `inline` runs each job where it is enqueued, at once and whenever it is due; Redis is not spoken
            to, and nothing is stored. What a job raises is raised from there, and a job that asks for its own
            fate (`Retry`, `Snooze`, `Cancel`, `Discard`) is told by the job that is returned, an `InlineJob`.
            `manual` stores jobs for `drain_queue`, also inside of `inline`.
        functions: worker settings, whose hooks and limits hold, or functions that are enqueued by name.
        ctx: what a worker's `on_startup` would have made; jobs get copies.

    Attributes:
        mode, functions, ctx: as given; may be changed inside.

    Raises:
        ConfigurationError: there is no such mode.
    """

    def __init__(
        self, mode: Mode = "inline", *, functions: Any = None, ctx: dict[Any, Any] | None = None
    ) -> None:
        if mode not in ("inline", "manual"):
            raise ConfigurationError(f"the testing mode must be 'inline' or 'manual', got {mode!r}")
        self.mode = mode
        self.functions = functions
        self.ctx: dict[Any, Any] = {} if ctx is None else ctx
        self._before: list[Token[Diversion | None]] = []

    def __enter__(self) -> testing_mode:
        self._before.append(diversion.set(self._run if self.mode == "inline" else None))
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        diversion.reset(self._before.pop())

    async def __aenter__(self) -> testing_mode:
        return self.__enter__()

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(error_class, error, traceback)

    def __call__(self, function: F) -> F:
        """Let a function, plain or of a coroutine, run in this mode."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast("F", run)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return cast("F", call)

    def _again(self) -> testing_mode:
        return testing_mode(self.mode, functions=self.functions, ctx=self.ctx)

    async def _run(self, client: QueueClient, call: Call[Any], new_job: NewJob, queue: str) -> InlineJob[Any]:
        return await run_inline(client, call, new_job, queue, self.functions, self.ctx)
