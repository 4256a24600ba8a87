"""Jobs composed without names: one after the other (`chain`), or side by side (`group`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from ..errors import ConfigurationError
from .calls import Call, call
from .functions import Function
from .workflows import Composition, Part, Step, Workflow, takes_previous, with_previous

Item: TypeAlias = Call[Any] | Function[..., Any] | Callable[..., Any] | str | Composition
"""What a chain or a group is made of: a call, a function that takes what comes before, a chain or a group."""


class Chain(Composition):
    """Jobs one after the other; made by `chain`."""

    def __init__(self, items: tuple[Item, ...], name: str) -> None:
        if not items:
            raise ConfigurationError("chain() needs at least one job")
        self.items = items
        self.name = name

    def join(self, workflow: Workflow, prefix: str, previous: Any, before: tuple[Any, ...]) -> Part:
        """See `Composition.join`."""
        part = Part(previous, before)
        for item in self.items:
            part = _join(item, workflow, prefix, part)
        return part

    def __repr__(self) -> str:
        return f"<chain of {len(self.items)}>"


class Group(Composition):
    """Jobs side by side, perhaps with one that takes all their results; made by `group`."""

    def __init__(self, items: tuple[Item, ...], callback: Item | None, name: str) -> None:
        if not items:
            raise ConfigurationError("group() needs at least one job")
        self.items = items
        self.callback = callback
        self.name = name

    def join(self, workflow: Workflow, prefix: str, previous: Any, before: tuple[Any, ...]) -> Part:
        """See `Composition.join`."""
        parts = [_join(item, workflow, prefix, Part(previous, before)) for item in self.items]
        together = Part([part.result for part in parts], tuple(end for part in parts for end in part.ends))
        return together if self.callback is None else _join(self.callback, workflow, prefix, together)

    def __repr__(self) -> str:
        return f"<group of {len(self.items)}>"


def chain(*items: Item, name: str = "chain") -> Chain:
    """Compose jobs that run one after the other, each when the one before has succeeded.

    A function gets the result of the one before as its first argument after `ctx`; a call is called as it
    is written, with that result where `PREVIOUS` stands: `chain(call(fetch, 1), parse, call(store, PREVIOUS,
    table="x"))`. What follows a group without a callback gets the list of its results.

    Args:
        items: calls, functions, names of functions, chains and groups.
        name: what people know the workflow by.

    Raises:
        ConfigurationError: it is empty.
    """
    return Chain(items, name)


def group(items: Iterable[Item], callback: Item | None = None, *, name: str = "group") -> Group:
    """Compose jobs that run side by side, and one that runs when all of them have succeeded.

    Args:
        items: calls, functions, names of functions, chains and groups. Where a group stands in a chain,
            functions and `PREVIOUS` get the result of what is before it.
        callback: gets the list of their results, in order: a function as its first argument after `ctx`, a
            call where `PREVIOUS` stands.
        name: what people know the workflow by.

    Raises:
        ConfigurationError: it is empty.
    """
    if isinstance(items, str | Call | Composition) or not isinstance(items, Iterable):
        raise ConfigurationError(f"group() takes a list of jobs, got {items!r}")
    return Group(tuple(items), callback, name)


def _join(item: Item, workflow: Workflow, prefix: str, before: Part) -> Part:
    if isinstance(item, Composition):
        return item.join(workflow, prefix, *before)
    if isinstance(item, Call):
        if takes_previous(item) and before.result is None:
            raise ConfigurationError(f"{item!r} takes PREVIOUS, and nothing comes before it")
        made = with_previous(item, before.result)
    else:
        made = call(item) if before.result is None else call(item, before.result)
    name = workflow.free_name(prefix + (made.function.rpartition(".")[2] or made.function))
    step: Step[Any] = workflow.add(name, made, after=before.ends)
    return Part(step.result, (step,))
