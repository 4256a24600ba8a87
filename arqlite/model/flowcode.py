"""Steps of workflows to bytes: a job with gaps, and what the queue knows of the step.

A step is stored as any job; where it takes results, a mark shows in its arguments. The queue has a template
beside it, from which it makes the job when the step's time has come: pieces of the job, and between them the
results as they stand in their own ends. JSON is put in as it is. Of a user's own serializer the results are
put before the job, and its reader puts them in (`placeholders.unbundled`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from pydantic_core import to_json

from ..errors import DeserializationError
from .calls import Options
from .codec import Codec, queued_record
from .failures import rebuild
from .placeholders import BUNDLE, Placeholder, ResultOf, mark, placeholders_in, read_end, replaced
from .workflows import PlannedStep


class StepBytes(NamedTuple):
    """A step as the queue stores it.

    Attributes:
        record: the job, as it is shown while it waits.
        template: what the job is made of when it may start: a line of pieces (`L5` five bytes that follow,
            `V3` the value that step 3 gave, `E3` the whole end of step 3 with its length before it), then
            the bytes. Empty when the record is the job already.
        plan: see `PLAN`.
    """

    record: bytes
    template: bytes
    plan: str


# id, priority, delay in ms, due in ms since 1970, flags (`e` runs even if others failed, `k` its result is
# taken, `c` it is a compensation), its compensation or the step that it compensates, its dependents, its
# name, its function. Scripts read it by the line breaks, so that what users write comes last.
PLAN = "{id}\n{priority}\n{delay}\n{at}\n{flags}\n{undo}\n{dependents}\n{name}\n{function}"


def encode_step(
    codec: Codec,
    step: PlannedStep,
    job_id: str,
    options: Options,
    enqueue_ms: int,
    numbers: Mapping[str, int],
    **extras: Any,
) -> StepBytes:
    """Write a step.

    Args:
        codec: how jobs are written.
        step: the step.
        job_id: the id of its job.
        options: how it is enqueued.
        enqueue_ms: now, in ms since 1970.
        numbers: the numbers of the steps, by name.
        extras: see `Codec.encode_job`.

    Raises:
        SerializationError: an argument cannot be written.
    """
    priority = options.priority or 0
    blob, pieces = _with_gaps(codec, step, options.first_try, enqueue_ms, numbers, extras)
    record = queued_record(priority, blob)
    template = b""
    if pieces:
        template = _template([queued_record(priority, b""), *pieces])
    elif step.undoes:  # it has no job before its time has come
        template = _template([record])
    flags = "e" * step.even_if_failed + "k" * step.is_needed + "c" * bool(step.undoes)
    plan = PLAN.format(
        id=job_id, priority=priority, delay=options.delay_ms or 0, at=options.at_ms or 0, flags=flags,
        undo=step.undo or step.undoes or "", dependents=",".join(map(str, step.dependents)), name=step.name,
        function=step.call.function,
    )  # fmt: skip
    return StepBytes(record, template, plan)


class ReadPlan(NamedTuple):
    """What stands in a `PLAN`, read."""

    job_id: str
    flags: str
    undo: int
    dependents: tuple[int, ...]
    name: str
    function: str


def read_plan(plan: str) -> ReadPlan:
    """Read what `encode_step` wrote."""
    job_id, _, _, _, flags, undo, dependents, name, function = plan.split("\n", 8)
    numbers = tuple(int(number) for number in dependents.split(",") if number)
    return ReadPlan(job_id, flags, int(undo or 0), numbers, name, function)


def read_result(end: bytes, codec: Codec) -> Any:
    """Read what a step gave out of the end that its workflow keeps; the exception of one that failed.

    Raises:
        DeserializationError: these bytes are no end.
    """
    try:
        envelope = read_end(end[1:], codec.deserializer)
        return rebuild(envelope["e"]) if "e" in envelope else envelope["r"]
    except Exception as error:
        raise DeserializationError("unable to deserialize the result of a step") from error


def _with_gaps(
    codec: Codec,
    step: PlannedStep,
    first_try: int | None,
    enqueue_ms: int,
    numbers: Mapping[str, int],
    extras: dict[str, Any],
) -> tuple[bytes, list[bytes | str]]:
    """Write the job, once to be shown and once in pieces; no pieces when it takes no results."""
    call = step.call
    taken = [
        one
        for one in (*placeholders_in(call.args), *placeholders_in(call.kwargs))
        if isinstance(one, ResultOf)
    ]
    if not taken:
        return codec.encode_job(call.function, call.args, call.kwargs, first_try, enqueue_ms, **extras), []
    nonce = secrets.token_hex(16)
    places: dict[str, int] = {}

    def put(placeholder: Placeholder) -> Any:
        name = cast("ResultOf", placeholder).step.name
        place = places.setdefault(name, len(places))
        return f"{nonce}:{numbers[name]}" if codec.serializer is None else mark(name, f"{nonce}:{place}")

    args, kwargs = replaced(call.args, put), replaced(call.kwargs, put)
    blob = codec.encode_job(call.function, args, kwargs, first_try, enqueue_ms, **extras)
    if codec.serializer is not None:
        ends: list[bytes | str] = [f"E{numbers[name]}" for name in places]
        return blob, [b"%b%b%08x" % (BUNDLE, nonce.encode(), len(places)), *ends, blob]
    # Nobody else can have written the nonce, so that what is found is ours and nothing of the user's.
    first, *others = blob.split(b'"%b:' % nonce.encode())
    marks = {b"%d" % numbers[name]: to_json(mark(name)) for name in places}
    pieces: list[bytes | str] = [first]
    shown = [first]
    for part in others:
        number, _, rest = part.partition(b'"')
        pieces += (f"V{number.decode()}", rest)
        shown += (marks[number], rest)
    return b"".join(shown), pieces


def _template(pieces: list[bytes | str]) -> bytes:
    """Write pieces: what bytes are, is put in as it is; texts stand for results."""
    head = "".join(f"L{len(piece)}" if isinstance(piece, bytes) else piece for piece in pieces)
    return b"%b\n%b" % (head.encode(), b"".join(piece for piece in pieces if isinstance(piece, bytes)))
