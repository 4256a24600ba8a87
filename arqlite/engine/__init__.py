"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch, LookBatch
from .keys import Keys, due_ms
from .protocol import (
    Beat,
    Ended,
    Engine,
    Failure,
    Fired,
    NewJob,
    Note,
    Noted,
    Peek,
    Planted,
    Rescued,
    Returned,
    Room,
    Size,
    Ticks,
    Turn,
)
from .redis import ENQUEUE_CHUNK, RedisEngine
from .wakeup import EndWatch, Listener, Token, Waker

__all__ = (
    "ENQUEUE_CHUNK",
    "Beat",
    "EndWatch",
    "Ended",
    "Engine",
    "EnqueueBatch",
    "Failure",
    "Fired",
    "Keys",
    "Listener",
    "LookBatch",
    "NewJob",
    "Note",
    "Noted",
    "Peek",
    "Planted",
    "RedisEngine",
    "Rescued",
    "Returned",
    "Room",
    "Size",
    "Ticks",
    "Token",
    "Turn",
    "Waker",
    "due_ms",
)
