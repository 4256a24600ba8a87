"""What an expected job is told by, and what is shown when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from ..errors import ConfigurationError
from ..model import checks
from ..model.arguments import Signature, signature_of
from ..model.filters import no_argument
from ..model.functions import Function, func
from ..model.records import JobView
from ..model.states import JobState
from ..typing import SecondsTimedelta
from ..utils import ms_to_datetime
from .matching import matches

LISTED = (JobState.AVAILABLE, JobState.SCHEDULED, JobState.SUSPENDED)

Named = str | Function[..., Any] | Callable[..., Any]


class Filters(TypedDict, total=False):
    """What `all_enqueued`, `assert_enqueued` and `refute_enqueued` find jobs by; see there."""

    queue: str | None
    args: Mapping[str, Any] | Sequence[Any] | None
    kwargs: Mapping[str, Any] | None
    meta: Mapping[str, Any] | None
    tags: Sequence[str] | None
    priority: int | None
    state: JobState | str | None
    delay: SecondsTimedelta | None
    at: datetime | None
    delta: SecondsTimedelta


@dataclass(frozen=True, slots=True)
class Expected:
    """A filter, checked.

    Attributes:
        told: what it was told, by name, without what was left out.
        function: the name of the function.
        signature: the function's own, if the function was given.
        delta_s: how far apart two moments may be.
    """

    told: dict[str, Any]
    function: str | None
    signature: Signature | None
    delta_s: float

    def matches(self, job: JobView, now_ms: int) -> bool:
        """Tell whether a job is one that is expected."""
        return all(self._has(job, name, wanted, now_ms) for name, wanted in self.told.items())

    def shown(self, jobs: Sequence[JobView], now_ms: int) -> str:
        """Show the filter, and the same of each job found, for a failed assertion."""
        lines = [f"    {name}: {value!r}" for name, value in self.told.items()] or ["    any job"]
        if not jobs:
            return "\n".join(["expected:", *lines, "found: no job that waits"])
        fields = ["function", *(name for name in self.told if name != "function")]
        found = ["    " + ", ".join(self._field(job, name, now_ms) for name in fields) for job in jobs]
        return "\n".join(["expected:", *lines, f"found {len(jobs)}, newest first:", *found])

    def _has(self, job: JobView, name: str, wanted: Any, now_ms: int) -> bool:
        match name:
            case "args":
                return matches(wanted, self._args(job, wanted))
            case "kwargs" | "meta":
                return matches(wanted, getattr(job, name))
            case "tags":
                return set(wanted) <= set(job.tags)
            case "delay":
                return self._is_near(_delay_s(job, now_ms), wanted)
            case "at":
                return self._is_near(job.scheduled_at.timestamp(), wanted.timestamp())
            case _:
                return bool(getattr(job, name) == wanted)

    def _is_near(self, found_s: float, wanted_s: float) -> bool:
        return abs(found_s - wanted_s) <= self.delta_s

    def _args(self, job: JobView, wanted: Any) -> Any:
        if not isinstance(wanted, Mapping):
            return list(job.args)
        if self.signature is None or job.function != self.function:
            return job.kwargs
        try:
            return self.signature.by_name(job.args, job.kwargs)
        except TypeError:  # it was enqueued by name, with arguments that its function does not take
            return job.kwargs

    def _field(self, job: JobView, name: str, now_ms: int) -> str:
        match name:
            case "args":
                return f"args={self._shown_args(job)}"
            case "delay":
                return f"delay={round(_delay_s(job, now_ms), 1)!r}"
            case "at":
                return f"at={job.scheduled_at.isoformat()}"
            case "state":
                return f"state={str(job.state)!r}"
            case _:
                return f"{name}={getattr(job, name)!r}"

    def _shown_args(self, job: JobView) -> str:
        if not isinstance(self.told["args"], Mapping):
            return repr(list(job.args))
        shown = repr(self._args(job, self.told["args"]))
        if not job.args:
            return shown
        if self.signature is None:
            return f"{shown} and {list(job.args)!r} (which get names only from the function itself)"
        return shown if job.function == self.function else f"{shown} and {list(job.args)!r}"


def expected(task: Named | None, filters: Filters) -> Expected:
    """Check a filter.

    Raises:
        ConfigurationError: a part of it cannot work.
    """
    unknown = filters.keys() - Filters.__annotations__.keys()
    if unknown:
        known = ", ".join(Filters.__annotations__)
        raise ConfigurationError(f"there is no filter {min(unknown)!r} of jobs; there are {known}")
    told = {name: value for name, value in filters.items() if value is not None and name != "delta"}
    function, signature = _function_of(task)
    if function is not None:
        told = {"function": function, **told}
    for name in ("kwargs", "meta"):
        if name in told:
            checks.instance(name, told[name], Mapping, "a dict")
    if "args" in told and (isinstance(told["args"], str) or not isinstance(told["args"], Mapping | Sequence)):
        raise ConfigurationError(f"args must be a dict by parameter names or a list, got {told['args']!r}")
    if function is not None and signature is not None:
        _refuse_unknown_arguments(function, signature, told)
    if "tags" in told:
        told["tags"] = checks.tags(told["tags"])
    if "state" in told:
        told["state"] = _state(told["state"])
    if "delay" in told:
        told["delay"] = checks.seconds("delay", told["delay"])
    if "at" in told:
        told["at"] = ms_to_datetime(checks.moment_ms("at", told["at"]))
    if "delay" in told and "at" in told:
        raise ConfigurationError("use either delay or at or neither, not both")
    return Expected(told, function, signature, checks.seconds("delta", filters.get("delta", 1), 0))


def _refuse_unknown_arguments(function: str, signature: Signature, told: Mapping[str, Any]) -> None:
    """A slip in a name must not prove that there is no such job."""
    for part in ("args", "kwargs"):
        pattern = told.get(part)
        for name in pattern if isinstance(pattern, Mapping) else ():
            if not signature.can_have(name):
                raise no_argument(name, {function: signature})


def _delay_s(job: JobView, now_ms: int) -> float:
    return (job.scheduled_at - ms_to_datetime(now_ms)).total_seconds()


def _function_of(task: Any) -> tuple[str | None, Signature | None]:
    if task is None or isinstance(task, str):
        return task, None
    if not isinstance(task, Function) and (not callable(task) or isinstance(task, type)):
        raise ConfigurationError(
            f"the task must be a function, what func() made of one, or a name, got {task!r}"
        )
    function: Function[..., Any] = func(task)
    return function.name, signature_of(function.coroutine)


def _state(value: Any) -> JobState:
    try:
        state = JobState(value)
    except ValueError:
        state = None
    if state not in LISTED:
        known = ", ".join(LISTED)
        raise ConfigurationError(f"state must be one of those that wait to run ({known}), got {value!r}")
    return state


def seconds_of(timeout: float | timedelta | None) -> float:
    """Take how long to wait; None is not at all."""
    return 0.0 if timeout is None else checks.seconds("timeout", timeout, 0)
