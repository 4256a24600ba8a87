"""The Redis wing: a queue's storage as verbs, each one atomic script."""

from .keys import Keys
from .protocol import Beat, Ended, Engine, NewJob, Peek, Rescued, Returned, Size, Turn
from .redis import RedisEngine
from .wakeup import Listener, Waker

__all__ = (
    "Beat",
    "Ended",
    "Engine",
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
)
