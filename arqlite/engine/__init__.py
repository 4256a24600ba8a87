"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch
from .keys import Keys
from .protocol import Beat, Ended, Engine, Fired, NewJob, Peek, Rescued, Returned, Size, Ticks, Turn
from .redis import RedisEngine
from .wakeup import EndWatch, Listener, Waker

__all__ = (
    "Beat",
    "EndWatch",
    "Ended",
    "Engine",
    "EnqueueBatch",
    "Fired",
    "Keys",
    "Listener",
    "NewJob",
    "Peek",
    "RedisEngine",
    "Rescued",
    "Returned",
    "Size",
    "Ticks",
    "Turn",
    "Waker",
)
