"""What a function's annotations say of its arguments and its result, and values made to fit them.

JSON knows no datetime, UUID, Decimal, Enum, dataclass or model; the annotations tell what a text or a
dict was before it was written. pydantic does the fitting, by its lax rules.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
import weakref
from collections import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import InvalidArguments
from .placeholders import placeholders_in

if sys.version_info >= (3, 14):
    import annotationlib

_PLAIN = (str, int, float, bool, list, dict)
_ANY = (Any, object, inspect.Parameter.empty)
_LAZY = (abc.Iterable, abc.Iterator, abc.Generator)


class Problem(NamedTuple):
    """An argument that does not fit: its parameter, and why."""

    parameter: str
    reason: str


class Field(NamedTuple):
    """One annotated parameter, or a result.

    Attributes:
        name: the parameter.
        plain: values of exactly this class fit as they are.
        validate: turns what fits into what the annotation says; raises a `ValueError` otherwise.
    """

    name: str
    plain: type | None
    validate: Callable[[Any], Any]


class Signature:
    """The arguments and the result of one job function, `ctx` left out.

    A function that a decorator has put in the place of another one says for itself what it takes: what it
    hands on may be something else.

    Args:
        target: the function.
        given: how many of its first parameters no caller gives: `ctx`, and before it the `self` of a method.

    Attributes:
        names: what its arguments are called; None where a call may give any name.
        result: what it gives; None where nothing is said of it.
        is_bare: whether no argument is annotated.
        lacks_ctx: whether no call of it can succeed, see `lacks_ctx`.
    """

    def __init__(self, target: Callable[..., Any], given: int = 1) -> None:
        signature = _signature(target)
        parameters = list(signature.parameters.values())
        self.lacks_ctx = _lacks_place(target, given)
        self._first = ""
        while given and parameters and parameters[0].kind in _POSITIONAL:
            self._first = parameters[0].name
            parameters, given = parameters[1:], given - 1
        globals_ = _globals_of(target)
        fields = {
            one.name: _field(one.name, one.annotation, globals_, is_optional=one.default is None)
            for one in parameters
        }
        positional = [one for one in parameters if one.kind in _POSITIONAL]
        self._positional = [fields[one.name] for one in positional]
        self._named = {one.name: fields[one.name] for one in parameters if one.kind in _NAMED}
        self._others = [_of_kind(parameters, fields, kind) for kind in (_REST, _NAMED_REST)]
        self._required = sum(1 for one in positional if one.default is inspect.Parameter.empty)
        self._takes_rest = any(one.kind is _REST for one in parameters)
        self._needs_names = any(
            one.kind is _ONLY_NAMED and one.default is inspect.Parameter.empty for one in parameters
        )
        self._signature = signature.replace(parameters=parameters, return_annotation=signature.empty)
        takes_any = any(one.kind is _NAMED_REST for one in parameters)
        self.names = None if takes_any else tuple(one.name for one in parameters)
        self.result = _field("result", signature.return_annotation, globals_)
        self.is_bare = not any((*self._positional, *self._named.values(), *self._others))

    def fit(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Any], dict[str, Any], list[Problem]]:
        """Make arguments fit. What does not fit is left as it came and told as a problem."""
        if self.is_bare:
            return args, kwargs, []
        problems: list[Problem] = []
        rest, named_rest = self._others
        if args:
            fields = self._positional
            args = [
                _fitted(fields[place] if place < len(fields) else rest, value, problems)
                for place, value in enumerate(args)
            ]
        if kwargs:
            kwargs = {
                name: _fitted(self._named.get(name, named_rest), value, problems, name)
                for name, value in kwargs.items()
            }
        return args, kwargs, problems

    def check(self, function: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Make sure that a call would be one.

        Raises:
            InvalidArguments: an argument is missing, unknown or does not fit its annotation.
        """
        self.check_names(function, args, kwargs)
        _, _, problems = self.fit(args, kwargs)
        if problems:
            raise unfit(function, problems)

    def check_names(self, function: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        """Make sure that no argument is missing or unknown.

        Raises:
            InvalidArguments: one is.
        """
        fits = len(args) <= len(self._positional) or self._takes_rest
        if not kwargs and not self._needs_names and self._required <= len(args) and fits:
            return  # `bind` costs more than all the rest
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(f"{function}(): {error}{self._hint_of_ctx()}", function=function) from None

    def _hint_of_ctx(self) -> str:
        """Whoever forgot `ctx` finds that an argument too many was given."""
        name = self._first.lower()
        if not name or name.startswith("_") or any(word in name for word in ("ctx", "context", "self")):
            return ""
        return f" (a job function takes ctx first: is {self._first!r} meant to be it?)"

    def named(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Tell arguments by name, with the defaults of those that were not given."""
        try:
            bound = self._signature.bind_partial(*args, **kwargs)
        except TypeError:  # it is no call of this function: what has a name is told by it
            return dict(kwargs)
        bound.apply_defaults()
        told = dict(bound.arguments)
        for parameter in self._signature.parameters.values():
            if parameter.kind is _NAMED_REST:
                told |= told.pop(parameter.name)
        return told

    def by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the arguments of a call that fits by their names, those that it leaves out not among them.

        Raises:
            TypeError: it is no call of this function.
        """
        if not args:
            return dict(kwargs)
        bound = self._signature.bind(*args, **kwargs).arguments
        for parameter in self._signature.parameters.values():
            if parameter.kind is _NAMED_REST:
                bound |= bound.pop(parameter.name, {})
        return bound

    def takes(self, name: str) -> bool:
        """Tell whether there is a parameter of this name."""
        return name in self._named

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of its parameters, those that stand for any others among them."""
        return tuple(self._signature.parameters)

    def can_have(self, name: str) -> bool:
        """Tell whether a call may have an argument of this name."""
        parameters = self._signature.parameters
        return name in parameters or any(one.kind is _NAMED_REST for one in parameters.values())

    def place_of(self, name: str) -> int | None:
        """Tell at which place, from 0, a call may give the argument of this name; None if it cannot."""
        for place, parameter in enumerate(self._signature.parameters.values()):
            if parameter.name == name:
                return place if parameter.kind in _POSITIONAL else None
        return None

    def may_take_one_dict(self) -> bool:
        """Tell whether the only argument of a call may be a dict, as far as the annotations say."""
        if self._required > 1 or self._needs_names:
            return False
        if not self._positional:
            return self._takes_rest
        field = self._positional[0]
        return field is None or field.plain in (None, dict)

    def fit_result(self, value: Any) -> tuple[Any, list[Problem]]:
        """Make a result fit; one that does not is left as it came and told as a problem."""
        problems: list[Problem] = []
        return _fitted(self.result, value, problems), problems


def signature_of(target: Callable[..., Any]) -> Signature:
    """Read a function's signature; each function, and each method of a class, is read once."""
    # A method is made anew each time it is asked for; what it is made of stays.
    owner, given = (target.__func__, 2) if inspect.ismethod(target) else (target, 1)
    try:
        known = _known.get(owner)
        if known is None:
            known = _known[owner] = {}
    except TypeError:  # an object that can be called may have no hash, or no place for weak references
        return Signature(owner, given)
    if given not in known:
        known[given] = Signature(owner, given)
    return known[given]


_known: weakref.WeakKeyDictionary[Any, dict[int, Signature]] = weakref.WeakKeyDictionary()


def names_of(target: Callable[..., Any]) -> tuple[str, ...] | None:
    """Tell what the arguments of a job function are called, `ctx` left out; None where a call may give any
    name. Its annotations are not looked at: what they name need not be there yet.
    """
    parameters = list(_signature(target).parameters.values())
    if any(one.kind is _NAMED_REST for one in parameters):
        return None
    is_given = bool(parameters) and parameters[0].kind in _POSITIONAL
    return tuple(one.name for one in parameters[is_given:])


def takes(target: Callable[..., Any], count: int, *, at_least: bool = False) -> bool:
    """Tell whether a function may be called with so many arguments by position, and no others; `at_least`:
    whether others may be needed beside them.
    """
    signature = _signature(target)
    try:
        (signature.bind_partial if at_least else signature.bind)(*[None] * count)
    except TypeError:
        return False
    return True


def lacks_ctx(target: Callable[..., Any]) -> bool:
    """Tell whether a job function has certainly no place for `ctx`, so that each of its jobs would fail.

    Only a function written with `def`, or a method, is looked at: what a decorator has put in the place of
    one, a partial and an object that can be called may say of themselves what is not so.
    """
    return _lacks_place(target.__func__, 2) if inspect.ismethod(target) else _lacks_place(target, 1)


def _lacks_place(target: Callable[..., Any], given: int) -> bool:
    is_as_written = inspect.isfunction(target) and vars(target).keys().isdisjoint(_LIKE_ANOTHER)
    return is_as_written and not takes(target, given, at_least=True)


def unfit(function: str, problems: Sequence[Problem]) -> InvalidArguments:
    """Say in words which arguments do not fit."""
    told = "; ".join(f"{parameter}: {reason}" for parameter, reason in problems)
    return InvalidArguments(f"{function}(): {told}", function=function)


_LIKE_ANOTHER = ("__wrapped__", "__signature__")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_ONLY_NAMED = inspect.Parameter.KEYWORD_ONLY
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, _ONLY_NAMED)
_REST, _NAMED_REST = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def _fitted(field: Field | None, value: Any, problems: list[Problem], name: str | None = None) -> Any:
    if field is None or value.__class__ is field.plain:
        return value
    try:
        return field.validate(value)
    except Exception as error:  # noqa: BLE001 (validators of the user's own types may raise anything)
        if next(placeholders_in(value), None) is not None:
            return value  # what it stands for is not there yet
        problems.append(Problem(name or field.name, _reason(error, value)))
        return value


def _reason(error: Exception, value: object) -> str:
    """Tell why a value does not fit: what was wanted and its class, never the value, which may be secret."""
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return f"{type(error).__name__} (got {type(value).__name__})"
    first, *others = errors(include_url=False, include_context=False, include_input=False)
    inside = ".".join(str(part) for part in first["loc"])
    more = f", and {len(others)} more" if others else ""
    return f"{f'{inside}: ' if inside else ''}{first['msg']} (got {type(value).__name__}{more})"


def _of_kind(
    parameters: list[inspect.Parameter], fields: dict[str, Field | None], kind: object
) -> Field | None:
    return next((fields[one.name] for one in parameters if one.kind is kind), None)


def _field(
    name: str, annotation: Any, globals_: dict[str, Any], *, is_optional: bool = False
) -> Field | None:
    """Make a field of an annotation; None when it says nothing, or names what cannot be found.

    `x: int = None` means that None may be given, too.
    """
    wanted = _resolved(name, annotation, globals_)
    if any(wanted is one for one in _ANY) or _is_lazy(wanted):
        return None
    validate = _validator(typing.Optional[wanted] if is_optional else wanted)  # noqa: UP045 (of any object)
    if validate is None:
        return None
    return Field(name, wanted if wanted in _PLAIN else None, validate)


def _resolved(name: str, annotation: Any, globals_: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, globalns=globals_, include_extras=True)[name]
    except Exception:  # noqa: BLE001 (a name that only type checkers import, or no type at all)
        return Any


def _is_lazy(wanted: Any) -> bool:
    """Tell whether pydantic would make something of a list that can be read only once."""
    parts = typing.get_args(wanted) if typing.get_origin(wanted) in (types.UnionType, typing.Union) else ()
    kind = typing.get_origin(wanted) or wanted
    return any(kind is one for one in _LAZY) or any(map(_is_lazy, parts))


def _validator(wanted: Any) -> Callable[[Any], Any] | None:
    """Make what turns a value into this type; None for a type that pydantic has no schema for."""
    # pydantic takes as long to import as the rest of the library.
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    try:
        try:
            return TypeAdapter(wanted).validator.validate_python
        except PydanticUserError:  # a class of the user's own: its instances fit
            config = ConfigDict(arbitrary_types_allowed=True)
            return TypeAdapter(wanted, config=config).validator.validate_python
    except Exception:  # noqa: BLE001 (an annotation may be anything, and is no reason not to run)
        return None


def _signature(target: Callable[..., Any]) -> inspect.Signature:
    try:
        if sys.version_info >= (3, 14):
            return inspect.signature(
                target, follow_wrapped=False, annotation_format=annotationlib.Format.FORWARDREF
            )
        return inspect.signature(target, follow_wrapped=False)
    except (TypeError, ValueError):  # some builtins have none
        return _UNKNOWN


_UNKNOWN = inspect.Signature([inspect.Parameter("args", _REST), inspect.Parameter("kwargs", _NAMED_REST)])


def _globals_of(target: Any) -> dict[str, Any]:
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target):
        target = type(target).__call__
    target = getattr(target, "__func__", target)
    if "__signature__" in getattr(target, "__dict__", {}) and hasattr(target, "__wrapped__"):
        return _globals_of(target.__wrapped__)  # it says that it is like what it wraps
    return getattr(target, "__globals__", {})
