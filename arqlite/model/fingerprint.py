"""What is the same of two jobs, as one short text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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
        ConfigurationError: `keys` are looked up among arguments that have no names.
        SerializationError: JSON cannot write what is compared.
    """
    compared: dict[str, Any] = {"keys": unique.keys}
    if "function" in unique.fields:
        compared["function"] = function
    try:
        if "args" in unique.fields:
            compared["args"] = _chosen(_by_name(unique, function, args, kwargs, signature), unique.keys)
        if "meta" in unique.fields:
            compared["meta"] = _chosen(meta, unique.keys)
        written = _written(compared)
    except ConfigurationError:
        raise
    except Exception as error:
        raise SerializationError(
            f"a unique job of {function} is told by what JSON would write of it, and that fails: {error}"
        ) from error
    return hashlib.blake2b(written.encode(), digest_size=_DIGEST_BYTES).hexdigest()


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


def _chosen(values: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Any]:
    """Take the values that are compared; a key that leads nowhere is left out."""
    if not keys:
        return values
    chosen = {}
    for key in keys:
        if key in values:
            chosen[key] = values[key]
        elif "." in key:
            first, *path = key.split(".")
            value = to_jsonable_python(values.get(first))
            for step in path:
                value = value.get(step, _NOTHING) if isinstance(value, dict) else _NOTHING
            if value is not _NOTHING:
                chosen[key] = value
    return chosen


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
