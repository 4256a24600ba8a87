"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch
from .keys import Keys, due_ms
from .protocol import Beat, Ended, Engine, NewJob, Peek, Rescued, Returned, Size, Turn
from .redis import RedisEngine
from .wakeup import EndWatch, Listener, Waker

__all__ = (
    "Beat",
    "EndWatch",
    "Ended",
    "Engine",
    "EnqueueBatch",
    "Keys",
    "Listener",
    "NewJob",
    "Peek",
    "RedisEngine",
    "Rescued",
    "Returned",
    "Size",
    "Turn",
    "Waker",
    "due_ms",
)
