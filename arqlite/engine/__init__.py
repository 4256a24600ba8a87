"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch
from .keys import Keys
from .protocol import Beat, Ended, Engine, NewJob, Note, Noted, Peek, Rescued, Returned, Size, Turn
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
    "Note",
    "Noted",
    "Peek",
    "RedisEngine",
    "Rescued",
    "Returned",
    "Size",
    "Turn",
    "Waker",
)
