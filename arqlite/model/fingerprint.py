"""What is the same of two jobs, as one short text."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from ..errors import ConfigurationError, SerializationError
from .arguments import Signature
from .unique import Unique

_DIGEST_BYTES = 16


def fingerprint(
    unique: Unique,
    function: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    meta: Mapping[str, Any],
    signature: Signature | None,
) -> str:
    """Tell what a unique job is known by: jobs that are the same by its rule have the same.

    Args:
        unique: its rule.
        function: the name of its function.
        args, kwargs: what that is called with; values are compared as JSON would write them, and what is left
            to the function's own defaults is not compared.
        meta: what the job carries.
        signature: how the function calls its arguments; None where only its name is known.

    Raises:
        ConfigurationError: `keys` are looked up among arguments that have no names, or one of them leads
            nowhere.
        SerializationError: JSON cannot write what is compared.
    """
    if signature is not None and unique.keys:
        check_keys(unique, function, signature.names, meta)
    compared: dict[str, Any] = {"keys": unique.keys}
    if "function" in unique.fields:
        compared["function"] = function
    try:
        if "args" in unique.fields:
            named = _by_name(unique, function, args, kwargs, signature)
            compared["args"] = _chosen("args", named, unique.keys, is_known=signature is not None)
        if "meta" in unique.fields:
            compared["meta"] = _chosen("meta", meta, unique.keys)
        written = _written(compared)
    except ConfigurationError:
        raise
    except Exception as error:
        raise SerializationError(
            f"a unique job of {function} is told by what JSON would write of it, and that fails: {error}"
        ) from error
    return hashlib.blake2b(written.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def check_keys(
    unique: Unique, function: str, names: Sequence[str] | None, meta: Mapping[str, Any] | None = None
) -> None:
    """Make sure that the keys name something: one that never does makes all jobs the same one.

    Args:
        unique: the rule.
        function: the name of the function.
        names: what its arguments are called; None where they may be called anything.
        meta: what a job of it carries; None is not known.

    Raises:
        ConfigurationError: a key names no argument, and nothing in meta that is compared.
    """
    if names is None or "args" not in unique.fields:
        return
    has_meta = "meta" in unique.fields
    for key in unique.keys:
        first = _path_in("args", key, names)[0]
        if key in names or first in names:
            continue
        near = difflib.get_close_matches(first, names, 1)
        if has_meta and not key.startswith("args."):
            is_carried = meta is None or key in meta or _path_in("meta", key, meta)[0] in meta
            if is_carried or not near:
                continue  # jobs need not carry all that is compared
        if not has_meta and key.startswith("meta."):
            hint = "to compare meta, name it among the fields"
        else:
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names) or 'none'}"
        raise ConfigurationError(
            f"keys of Unique: {function} has no argument {first!r}, so all its jobs would be the same one;"
            f" {hint}"
        )


def _by_name(
    unique: Unique, function: str, args: Sequence[Any], kwargs: Mapping[str, Any], signature: Signature | None
) -> Mapping[str, Any]:
    if not args:
        return kwargs
    if signature is not None:
        return signature.by_name(args, kwargs)
    if unique.keys:
        raise ConfigurationError(
            f"keys {list(unique.keys)} of Unique need arguments with names; call {function} with keyword"
            " arguments, or enqueue the function itself instead of its name"
        )
    # No parameter has such a name.
    return {"": args, **kwargs}


def _chosen(
    place: str, values: Mapping[str, Any], keys: Sequence[str], *, is_known: bool = False
) -> Mapping[str, Any]:
    """Take the values that are compared; a key that this job has nothing of is left out.

    Raises:
        ConfigurationError: a key leads into a value that can have no entries, and `is_known` says that the
            values are those of the function at hand.
    """
    if not keys:
        return values
    chosen = {}
    for key in keys:
        if key in values:
            chosen[key] = values[key]
            continue
        first, *path = _path_in(place, key, values)
        value = values.get(first, _NOTHING)
        if path and value is not _NOTHING:
            value = to_jsonable_python(value)
        for step in path:
            if is_known and not isinstance(value, dict) and value is not None and value is not _NOTHING:
                raise ConfigurationError(
                    f"keys of Unique: {key!r} leads nowhere, so all jobs would be the same one; there is no"
                    f" {step!r} in {type(value).__name__} {value!r}"
                )
            value = value.get(step, _NOTHING) if isinstance(value, dict) else _NOTHING
        if value is not _NOTHING:
            chosen[key] = value
    return chosen


def _path_in(place: str, key: str, names: Container[str]) -> list[str]:
    """Take a key apart; `args.user.id` is `user.id` unless there is something called `args`."""
    path = key.split(".")
    return path[1:] if path[0] == place and len(path) > 1 and place not in names else path


_NOTHING = object()


def _written(value: Any) -> str:
    return json.dumps(_ordered(value), sort_keys=True, separators=(",", ":"))


def _ordered(value: Any) -> Any:
    """Make plain data of a value: two that are equal must be written alike, in every process."""
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, Mapping):
        return {_key(key): _ordered(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    if isinstance(value, set | frozenset):
        return sorted((_ordered(one) for one in value), key=_written)
    return to_jsonable_python(value)


def _key(key: Any) -> str:
    return key if type(key) is str else next(iter(to_jsonable_python({key: None})))
