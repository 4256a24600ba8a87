"""The OpenAPI document of the API, made from what its routes take and answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from starlette.requests import Request

from ..version import VERSION
from .paths import API

_REFERENCE: Final = "#/components/schemas/{model}"

_ERROR: Final = {
    "type": "object",
    "description": "Why something was not done.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "The reason, for programs."},
                "message": {"type": "string", "description": "The reason, for people."},
            },
        }
    },
}


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that programs can ask for.

    Attributes:
        method, path: where, below `paths.API`.
        name: what it is called.
        summary: what it is, in a sentence.
        answer: the type of what it answers.
        handler: answers.
        params: those of the query, see `param`.
        body: the type of what is sent along; None for nothing.
        needs: what it needs, by its `verb`.
        may_be_partial: whether it may be done in a part, as `troubles` of the answer tells: with 207.
    """

    method: str
    path: str
    name: str
    summary: str
    answer: Any
    handler: Callable[[Request], Awaitable[Any]]
    params: Sequence[Mapping[str, Any]] = ()
    body: Any = None
    needs: Mapping[str, str] = field(default_factory=dict)
    may_be_partial: bool = False


class _Schemas(GenerateJsonSchema):
    """Tells values as they are written: durations in seconds."""

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": "number", "description": "seconds"}

    def encode_default(self, dft: Any) -> Any:
        """A default as it is written."""
        return dft.total_seconds() if isinstance(dft, timedelta) else super().encode_default(dft)


def param(name: str, description: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A parameter of the query, which may be left out."""
    return {"name": name, "in": "query", "description": description, "schema": schema or {"type": "string"}}


def document(operations: Sequence[Operation], *, title: str) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    asked = [(one.name, "serialization", one.answer) for one in operations]
    asked += [(one.name, "validation", one.body) for one in operations if one.body is not None]
    schemas, defined = TypeAdapter.json_schemas(
        [(name, mode, TypeAdapter(kind)) for name, mode, kind in asked],  # type: ignore[misc]
        ref_template=_REFERENCE,
        schema_generator=_Schemas,
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        body = schemas.get((one.name, "validation"))
        answer = schemas[one.name, "serialization"]
        paths.setdefault(API + one.path, {})[one.method.lower()] = _described(one, answer, body)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{title}: jobs and queues", "version": VERSION},
        "paths": paths,
        "components": {
            "schemas": {**defined.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"bearer": []}, {"basic": []}],
    }


def _described(one: Operation, answer: JsonSchemaValue, body: JsonSchemaValue | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": [*_path_params(one), *one.params],
        "responses": {
            "200": {"description": "It is so.", "content": _as_json(answer)},
            "default": {
                "description": "It is not so, and why.",
                "content": _as_json({"$ref": _REFERENCE.format(model="Error")}),
            },
        },
    }
    if one.may_be_partial:
        words = "It was done in a part: `troubles` tells what could not be asked."
        told["responses"]["207"] = {"description": words, "content": _as_json(answer)}
    if body is not None:
        told["requestBody"] = {"content": _as_json(body)}
    return told


def _path_params(one: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(one, name)}
        for name in re.findall(r"{(\w+)}", one.path)
    ]


def _path_schema(one: Operation, name: str) -> dict[str, Any]:
    return {"type": "string", "enum": sorted(one.needs)} if name == "verb" else {"type": "string"}


def _as_json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
