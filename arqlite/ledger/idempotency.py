"""Requests that are repeated: under one idempotency key they make one job, however often they come."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from ..errors import IdempotencyConflict, InvalidIdempotencyKey
from ..model import checks
from ..typing import SecondsTimedelta
from . import store
from .retention import KEY_AGE
from .rows import utc_now

KEY_LENGTH = 200
"""Characters that a key may have."""
KEPT_FOR = KEY_AGE
"""How long a key belongs to the request that used it first, unless that says otherwise."""
_SHORTEST_S = 1.0
_FOR_EVER_S = timedelta(days=36_500).total_seconds()

_COLUMN_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Claim:
    """Which job a request is about.

    Attributes:
        job_id: its id; of a new one the id to enqueue it under.
        queue: where it went or will go.
        is_replay: whether the job is there already, for this is a repetition.
    """

    job_id: str
    queue: str
    is_replay: bool


async def claim(
    db: AsyncSession,
    key: str,
    fingerprint: str,
    *,
    queue: str,
    job_id: str | None = None,
    scope: str = "",
    kept_for: SecondsTimedelta = KEPT_FOR,
    now: datetime | None = None,
) -> Claim:
    """Claim an idempotency key within the transaction in which the job is enqueued.

        claimed = await claim(db, key, fingerprint("POST", "/reports", body=body), queue="reports")
        if not claimed.is_replay:
            await pool.options(session=db, job_id=claimed.job_id).enqueue(report)
        await db.commit()

    The key and the job's row are committed together, or neither is. Who comes with the same key meanwhile
    waits for that. A key is in SQL and nowhere else: what becomes of Redis does not matter to it.

    Args:
        db: the session; nothing is committed here.
        key: what the caller calls the request: 1 to 200 visible ASCII characters.
        fingerprint: of what is asked for, see `fingerprint`.
        queue: where the job will go.
        job_id: the id that it will have; by default a new one is made.
        scope: whose key it is, a tenant say: each scope has keys of its own. At most 54 characters.
        kept_for: how long a key belongs to this request if it is the first that uses it, in seconds or as a
            timedelta, a second at least; after that it is free again. Pruning leaves it alone until then.
        now: the time; by default it is asked for.

    Raises:
        ConfigurationError: `kept_for` is no such time.
        InvalidIdempotencyKey: the key, or its scope, is too long, empty or has other characters.
        IdempotencyConflict: the key was used for a request that asked for something else.
    """
    now = now or utc_now()
    kept = timedelta(seconds=min(checks.seconds("kept_for", kept_for, _SHORTEST_S), _FOR_EVER_S))
    made = job_id or uuid.uuid4().hex
    held = await store.take_key(
        db,
        _full_key(key, scope),
        fingerprint=fingerprint,
        job_id=made,
        queue=queue,
        at=now + kept - KEY_AGE,
        free_before=now - KEY_AGE,
    )
    if held is None:
        return Claim(made, queue, is_replay=False)
    if held.fingerprint != fingerprint:
        raise IdempotencyConflict(key, held.job_id)
    return Claim(held.job_id, held.queue, is_replay=True)


def fingerprint(
    method: str, path: str, query: Iterable[tuple[str, str]] = (), body: bytes | str = b""
) -> str:
    """Tell requests apart by what they ask for.

    The order of query parameters makes no difference, nor do that of members and white space in JSON.

    Args:
        method: `POST`, say.
        path: with what identifies the thing that is asked for.
        query: the query's parameters, as pairs.
        body: as it came.
    """
    asked = [method.upper(), path, sorted([name, value] for name, value in query), _canonical(body)]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _canonical(body: bytes | str) -> object:
    """A body of JSON as what it says, any other one as its digest."""
    raw = body.encode() if isinstance(body, str) else body
    try:
        return {"json": json.dumps(json.loads(raw), sort_keys=True)}
    except (ValueError, RecursionError):
        return {"bytes": hashlib.sha256(raw).hexdigest()}


def _full_key(key: str, scope: str) -> str:
    if not 1 <= len(key) <= KEY_LENGTH:
        raise InvalidIdempotencyKey(
            f"an idempotency key has 1 to {KEY_LENGTH} characters, and this one has {len(key)}"
        )
    if not all("!" <= character <= "~" for character in key):
        raise InvalidIdempotencyKey("an idempotency key has visible ASCII characters only, and no spaces")
    room = _COLUMN_LENGTH - KEY_LENGTH - 1
    if len(scope) > room or "\0" in scope:
        raise InvalidIdempotencyKey(f"the scope of an idempotency key has at most {room} characters")
    return f"{scope} {key}"
