"""Jobs that are enqueued with the caller's own data: their rows first, and Redis after the commit."""

from .desk import Desk
from .relay import Relay

__all__ = ("Desk", "Relay")
