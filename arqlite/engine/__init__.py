"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch, LookBatch
from .flows import FlowStopped, NewFlow, NewStep
from .keys import Keys, due_ms
from .protocol import (
    Beat,
    Ended,
    Engine,
    Failure,
    Fired,
    Holder,
    Lock,
    NewJob,
    Note,
    Noted,
    Peek,
    Planted,
    Refused,
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
    "FlowStopped",
    "Holder",
    "Keys",
    "Listener",
    "Lock",
    "LookBatch",
    "NewFlow",
    "NewJob",
    "NewStep",
    "Note",
    "Noted",
    "Peek",
    "Planted",
    "RedisEngine",
    "Refused",
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
