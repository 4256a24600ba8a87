"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .batch import EnqueueBatch
from .keys import Keys
from .protocol import Beat, Ended, Engine, NewJob, Peek, Rescued, Returned, Room, Size, Turn
from .redis import RedisEngine
from .wakeup import EndWatch, Listener, Token, Waker

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
    "Room",
    "Size",
    "Token",
    "Turn",
    "Waker",
)
