"""Work that has steps: which jobs there are, what each one waits for, and what takes it back. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, cast

from ..errors import ConfigurationError
from ..typing import R, ResultT, SecondsTimedelta
from ..utils import to_ms
from . import checks
from .calls import Call, call
from .placeholders import Placeholder, Previous, ResultOf, placeholders_in, replaced

MOST_STEPS = 10_000
# One script goes through those of all steps that end at once.
MOST_LINKS = 100_000
DEFAULT_KEEP_S = 86_400
_LONGEST_NAME = 200
_OTHERS = "delay, at, queue, priority, max_attempts, first_try, tags and meta"


class Step(Generic[ResultT]):
    """One job of a workflow. `Step[bool]` is one that gives a bool. Made by `Workflow.add`.

    Attributes:
        workflow: the workflow it is a step of.
        name: its name there.
        call: what is called, with placeholders for what other steps give.
        after: what it waits for beside the steps whose results it takes: steps, or names of steps.
        even_if_failed: whether it runs, too, when one of them did not end well.
        compensation: what takes its work back when the workflow fails later.
    """

    __slots__ = ("after", "call", "compensation", "even_if_failed", "name", "workflow")

    def __init__(
        self,
        workflow: Workflow,
        name: str,
        call: Call[ResultT],
        after: tuple[Step[Any] | str, ...],
        even_if_failed: bool,
        compensation: Call[Any] | None,
    ) -> None:
        self.workflow = workflow
        self.name = name
        self.call = call
        self.after = after
        self.even_if_failed = even_if_failed
        self.compensation = compensation

    @property
    def result(self) -> ResultT:
        """What the step will give, to be an argument of another step, which thereby waits for this one."""
        return cast("ResultT", ResultOf(self))

    def __repr__(self) -> str:
        return f"<step {self.name!r} of {self.workflow.name!r}>"


class Part(NamedTuple):
    """What `Workflow.include` added.

    Attributes:
        result: what it will give, to be an argument of a step.
        ends: the steps that it ends with.
    """

    result: Any
    ends: tuple[Step[Any], ...]


class PlannedStep(NamedTuple):
    """A step as it is stored: others are told by their numbers, which count from 1.

    Attributes:
        number: its own.
        name: its name.
        call: what is called.
        needs: what it waits for.
        dependents: who waits for it.
        is_needed: whether somebody takes its result.
        even_if_failed: whether it runs whatever became of the others.
        undo: the number of its compensation, 0 without one.
        undoes: the number of the step that it compensates, 0 for a step of the workflow proper.
    """

    number: int
    name: str
    call: Call[Any]
    needs: tuple[int, ...]
    dependents: tuple[int, ...]
    is_needed: bool
    even_if_failed: bool
    undo: int
    undoes: int


class Workflow:
    """Named jobs, and which of them wait for which.

    Args:
        name: what people know it by; each run has an id of its own.
        queue: where all its jobs go; None is where its steps say, or the pool's default.
        keep: seconds or a timedelta for which it is known after its end; infinity is for ever.

    Raises:
        ConfigurationError: one of these cannot work.
    """

    def __init__(
        self, name: str, *, queue: str | None = None, keep: SecondsTimedelta = DEFAULT_KEEP_S
    ) -> None:
        self.name = _checked_name("a workflow", name)
        if queue is not None:
            checks.instance("queue", queue, str, "a text")
        self.queue = queue
        lasts_s = keep if keep == float("inf") else checks.seconds("keep", keep, 0)
        self.keep_ms = -1 if lasts_s == float("inf") else to_ms(lasts_s)
        self._namesakes: dict[str, int] = {}
        self._steps: dict[str, Step[Any]] = {}
        self._links = 0
        self._outcome: Any = None

    @property
    def steps(self) -> Sequence[Step[Any]]:
        """Its steps, in the order they were added."""
        return tuple(self._steps.values())

    def add(
        self,
        name: str,
        call: Call[R],
        *,
        after: Iterable[Step[Any] | str | Part] = (),
        even_if_failed: bool = False,
        compensate: Call[Any] | Callable[..., Any] | None = None,
    ) -> Step[R]:
        """Add a job. It waits for each step whose `result` is among its arguments, and for those of `after`.

        Args:
            name: its name, once in this workflow.
            call: what `arqlite.call` makes of a function and its arguments; its options may tell delay
                (counted from when it need not wait for others any more), priority, tags, meta and attempts.
            after: what else it waits for: steps, or names of steps, also of some that are added later.
            even_if_failed: whether it runs, too, when a step it waits for failed or was cancelled; what
                that one would have given is None then.
            compensate: what takes its work back if the workflow fails when this step has succeeded: a call,
                in which `PREVIOUS` stands for what the step gave, or a function that takes just that.

        Returns:
            The step; its `result` stands for what it will give.

        Raises:
            ConfigurationError: the name is taken or none, something is no step of this workflow, one of the
                options is not for steps, or steps wait for others more than 100,000 times in all.
            InvalidArguments: the compensation cannot be called so.
        """
        _checked_name("a step", name)
        if name in self._steps:
            raise ConfigurationError(f"there are two steps {name!r} in workflow {self.name!r}")
        _check_call(f"step {name!r}", call)
        taken = 0
        for waited_for in self._results_in(call):
            taken += 1
            if isinstance(waited_for, Previous):
                raise ConfigurationError(
                    f"step {name!r}: nothing comes before it; "
                    "PREVIOUS is for chains, callbacks and compensations"
                )
        before = tuple(one for given in _listed(after) for one in self._waited_for(name, given))
        self._count_links(max(taken, len(before)))
        step = Step(self, name, call, before, bool(even_if_failed), None)
        if compensate is not None:
            step.compensation = self._compensation(step, compensate)
        self._steps[name] = step
        self._outcome = None
        return step

    def include(
        self, name: str, composition: Composition, *, after: Iterable[Step[Any] | str | Part] = ()
    ) -> Part:
        """Add what `chain` or `group` made; its steps are named `name.step`.

        Args:
            name: what the names of its steps begin with.
            composition: the chain or group. What is first in it takes no result.
            after: what its first steps wait for.

        Raises:
            ConfigurationError: see `add`.
        """
        if not isinstance(composition, Composition):
            raise ConfigurationError(
                f"include takes what chain() or group() made, got {composition!r}; use add for a call"
            )
        _checked_name("a part", name)
        before = tuple(one for given in _listed(after) for one in self._waited_for(name, given))
        return composition.join(self, f"{name}.", None, before)

    def free_name(self, name: str) -> str:
        """Make a name that no step has yet: `name`, `name-2`, `name-3` ..."""
        count = self._namesakes.get(name, 1)  # no step is ever taken out: those before are in use still
        free = name if count == 1 else f"{name}-{count}"
        while free in self._steps:
            count += 1
            free = f"{name}-{count}"
        self._namesakes[name] = count
        return free

    def plan(self) -> list[PlannedStep]:
        """Number the steps, and find out who waits for whom. Compensations come last.

        Raises:
            ConfigurationError: there are no steps, or too many; a name is that of no step; or steps wait for
                each other.
        """
        if not self._steps:
            raise ConfigurationError(f"workflow {self.name!r} has no steps")
        undoing = [step for step in self.steps if step.compensation is not None]
        total = len(self._steps) + len(undoing)
        if total > MOST_STEPS:
            raise ConfigurationError(
                f"workflow {self.name!r} has {total} steps, compensations included; {MOST_STEPS} is the most"
            )
        number_of = {name: number for number, name in enumerate(self._steps, 1)}
        needs = {step.name: self._needs_of(step, number_of) for step in self.steps}
        self._refuse_circles(needs)
        dependents: dict[int, list[int]] = {}
        for name, waited_for in needs.items():
            for number in waited_for:
                dependents.setdefault(number, []).append(number_of[name])
        undo_of = {step.name: number for number, step in enumerate(undoing, len(self._steps) + 1)}
        calls = [
            *(step.call for step in self.steps),
            *(cast("Call[Any]", step.compensation) for step in undoing),
        ]
        needed = {
            one.step.name for made in calls for one in self._results_in(made) if isinstance(one, ResultOf)
        }
        planned = [
            PlannedStep(
                number_of[step.name], step.name, step.call, needs[step.name],
                tuple(dependents.get(number_of[step.name], ())), step.name in needed, step.even_if_failed,
                undo_of.get(step.name, 0), 0,
            )
            for step in self.steps
        ]  # fmt: skip
        return planned + [
            PlannedStep(
                undo_of[step.name], step.name, cast("Call[Any]", step.compensation), (), (), False, False, 0,
                number_of[step.name],
            )
            for step in undoing
        ]  # fmt: skip

    def gives(self, plan: Sequence[PlannedStep]) -> Any:
        """Tell what it gives as a whole: the number of a step, or a list of such, in lists where groups nest.

        None where that is not clear: it was not made by `chain` or `group`, and ends with several steps.

        Args:
            plan: what `plan` made of it.
        """
        if self._outcome is not None:
            number_of = {step.name: step.number for step in plan if not step.undoes}
            return _numbers(self._outcome, number_of)
        last = [step.number for step in plan if not step.undoes and not step.dependents]
        return last[0] if len(last) == 1 else None

    def __repr__(self) -> str:
        return f"<workflow {self.name!r} of {len(self._steps)} steps>"

    def _results_in(self, call: Call[Any]) -> Iterator[Placeholder]:
        for placeholder in (*placeholders_in(call.args), *placeholders_in(call.kwargs)):
            if isinstance(placeholder, ResultOf):
                self._own(cast("Step[Any]", placeholder.step))
            yield placeholder

    def _count_links(self, count: int) -> None:
        self._links += count
        if self._links > MOST_LINKS:
            raise ConfigurationError(
                f"the steps of workflow {self.name!r} wait for others, or take their results, more than "
                f"{MOST_LINKS} times; let one step wait for many and the others for that one, as with "
                "group(..., callback=...)"
            )

    def _own(self, step: Step[Any]) -> Step[Any]:
        if step.workflow is not self:
            raise ConfigurationError(
                f"step {step.name!r} is of workflow {step.workflow.name!r}, not of {self.name!r}"
            )
        return step

    def _waited_for(self, name: str, given: Any) -> tuple[Step[Any] | str, ...]:
        if isinstance(given, Part):
            return tuple(map(self._own, given.ends))
        if isinstance(given, Step):
            return (self._own(given),)
        if isinstance(given, str):
            return (given,)
        raise ConfigurationError(f"step {name!r}: after takes steps and names of steps, got {given!r}")

    def _compensation(self, step: Step[Any], given: Any) -> Call[Any]:
        result = step.result
        made = with_previous(given, result) if isinstance(given, Call) else call(given, result)
        _check_call(f"the compensation of step {step.name!r}", made)
        for _ in self._results_in(made):
            pass
        return made

    def _needs_of(self, step: Step[Any], number_of: dict[str, int]) -> tuple[int, ...]:
        names = [one.step.name for one in self._results_in(step.call) if isinstance(one, ResultOf)]
        for waited_for in step.after:
            name = waited_for if isinstance(waited_for, str) else waited_for.name
            if name not in number_of:
                known = ", ".join(number_of)
                raise ConfigurationError(f"step {step.name!r} waits for {name!r}, and there are only {known}")
            names.append(name)
        return tuple(sorted({number_of[name] for name in names}))

    def _refuse_circles(self, needs: dict[str, tuple[int, ...]]) -> None:
        names = list(self._steps)
        left = {name: {names[number - 1] for number in waited_for} for name, waited_for in needs.items()}
        waiting_for: dict[str, list[str]] = {}
        for name, others in left.items():
            for other in others:
                waiting_for.setdefault(other, []).append(name)
        free = [name for name, others in left.items() if not others]
        while free:
            name = free.pop()
            del left[name]
            for other in waiting_for.get(name, ()):
                left[other].discard(name)
                if not left[other]:
                    free.append(other)
        if left:
            raise ConfigurationError(
                f"steps of workflow {self.name!r} wait for each other: {' -> '.join(_circle(left))}"
            )


class Composition:
    """Jobs composed without names, by `chain` or `group`; a workflow is made of it when it is enqueued."""

    name: str

    def join(
        self, workflow: Workflow, prefix: str, previous: Any, before: tuple[Step[Any], ...] | tuple[Any, ...]
    ) -> Part:
        """Add its steps to a workflow.

        Args:
            workflow: where.
            prefix: what their names begin with.
            previous: what comes before gives, None when nothing does.
            before: the steps that come before.
        """
        raise NotImplementedError

    def workflow(self, *, queue: str | None = None, keep: SecondsTimedelta = DEFAULT_KEEP_S) -> Workflow:
        """Make the workflow of it; see `Workflow`."""
        made = Workflow(self.name, queue=queue, keep=keep)
        made._outcome = self.join(made, "", None, ()).result
        return made


WaitedFor: TypeAlias = Step[Any] | str | Part


def with_previous(call: Call[R], previous: Any) -> Call[R]:
    """Put what comes before in the place of each `PREVIOUS` among the arguments of a call."""
    args, kwargs = (
        replaced(part, lambda one: previous if isinstance(one, Previous) else one)
        for part in (call.args, call.kwargs)
    )
    return call.calling(args, kwargs)


def takes_previous(call: Call[Any]) -> bool:
    """Tell whether `PREVIOUS` is among the arguments of a call."""
    return any(
        isinstance(one, Previous) for one in (*placeholders_in(call.args), *placeholders_in(call.kwargs))
    )


def _numbers(outcome: Any, number_of: dict[str, int]) -> Any:
    if isinstance(outcome, list):
        return [_numbers(part, number_of) for part in outcome]
    return number_of[cast("ResultOf", outcome).step.name]


def _check_call(what: str, given: Any) -> None:
    if not isinstance(given, Call):
        raise ConfigurationError(f"{what} is what arqlite.call makes of a function, got {given!r}")
    options = given.made_with
    if options is None:
        return
    for name, value in (
        ("job_id", options.job_id),
        ("expires", options.expires_ms),
        ("unique", options.unique),
        ("session", options.session),
        ("ledger", options.ledger),
        ("row", options.row),
    ):
        if value is not None:
            raise ConfigurationError(f"{what} cannot have the option {name}; steps have {_OTHERS}")


def _checked_name(what: str, name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(
            f"the name of {what} must be a printable text of 1 to {_LONGEST_NAME} characters, got {name!r}"
        )
    return name


def _listed(after: Any) -> Iterable[Any]:
    """Take one step as well as several."""
    if isinstance(after, str | Step | Part):
        return (after,)
    if not isinstance(after, Iterable):
        raise ConfigurationError(f"after takes steps and names of steps, got {after!r}")
    return after


def _circle(left: dict[str, set[str]]) -> list[str]:
    """Find one circle among steps each of which waits for another one of them."""
    walk = [min(left)]
    while (following := min(left[walk[-1]])) not in walk:
        walk.append(following)
    return [*walk[walk.index(following) :], following]
