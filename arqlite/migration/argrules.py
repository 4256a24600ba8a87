"""Rules for what a call hands to a job, and what a job returns: JSON carries less than a pickle does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeAlias

from .findings import Level

_Fault: TypeAlias = "tuple[ast.AST, Level, str, str, str]"

_AS_TEXT = {
    "datetime", "date", "time", "timedelta", "Decimal", "UUID", "uuid1", "uuid4", "uuid5", "Path", "PurePath",
    "now", "utcnow", "today", "fromtimestamp", "fromisoformat",
}  # fmt: skip
_MODULES_OF_NOW = {"datetime", "date", "timezone"}
_FIX = (
    "annotate that argument of the job function, and it arrives as it was; or hand "
    "job_serializer=pickle.dumps, job_deserializer=pickle.loads to all"
)


def of_arguments(call: ast.Call) -> Iterator[_Fault]:
    """Look at what a call of `enqueue_job` hands over."""
    values = [*call.args[1:], *(word.value for word in call.keywords if not _is_option(word.arg))]
    for value in values:
        yield from _of_value(value, "an argument", "it arrives as")


def of_return(function: ast.AsyncFunctionDef) -> Iterator[_Fault]:
    """Look at what a job returns; a job is an async function whose first parameter is `ctx`."""
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters or parameters[0].arg not in ("ctx", "_ctx"):
        return
    for node in _own_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            for place, _, what, why, fix in _of_value(node.value, "a result", "it arrives as"):
                yield place, Level.CHECK, what, why, fix


def _of_value(value: ast.expr, role: str, arrives: str) -> Iterator[_Fault]:
    match value:
        case ast.Lambda():
            why = "no function can be written as JSON: enqueue_job raises SerializationError"
            yield value, Level.DIFFERS, f"{role} that is a lambda", why, "name what to do by a text"
        case ast.Tuple():
            yield _changed(value, role, "a tuple", f"{arrives} a list")
        case ast.Set() | ast.SetComp():
            yield _changed(value, role, "a set", f"{arrives} a list, in any order")
        case ast.Constant(value=bytes()):
            yield _changed(value, role, "bytes", f"{arrives} text; what is no UTF-8 is refused")
        case ast.Dict() if any(_is_odd_key(key) for key in value.keys):
            yield _changed(value, role, "a dict with keys that are no text", "its keys arrive as text")
        case ast.Call():
            yield from _of_call(value, role, arrives)
        case _:
            pass
    for inner in _parts(value):
        yield from _of_value(inner, role, arrives)


def _of_call(call: ast.Call, role: str, arrives: str) -> Iterator[_Fault]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    owner_name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    if name in ("set", "frozenset", "tuple"):
        yield _changed(call, role, f"a {name}", f"{arrives} a list")
    elif name in ("bytes", "bytearray", "encode"):
        yield _changed(call, role, "bytes", f"{arrives} text; what is no UTF-8 is refused")
    elif name in _AS_TEXT and (name[0].isupper() or name in ("datetime", "date", "timedelta") or
                               owner_name in _MODULES_OF_NOW or name.startswith("uuid")):  # fmt: skip
        shown = f"{owner_name}.{name}()" if owner_name else f"{name}()"
        yield _changed(call, role, shown, f"{arrives} its text")
    elif name[:1].isupper() and not name.isupper():
        why = f"{arrives} a dict, if JSON can hold it at all"
        yield call, Level.CHECK, f"{role} that is {name}(...)", why, _FIX


def _changed(node: ast.AST, role: str, what: str, why: str) -> _Fault:
    return node, Level.DIFFERS, f"{role} that is {what}", f"through JSON {why}", _FIX


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        yield from value.elts
    elif isinstance(value, ast.Dict):
        yield from value.values
    elif isinstance(value, ast.Starred):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from (value.body, value.orelse)


def _is_odd_key(key: ast.expr | None) -> bool:
    return isinstance(key, ast.Constant) and not isinstance(key.value, str)


def _is_option(name: str | None) -> bool:
    return name is not None and name.startswith("_")


def _own_nodes(function: ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Walk a function without the functions inside it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))
