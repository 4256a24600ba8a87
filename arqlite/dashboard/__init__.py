"""The dashboard: an ASGI application that mounts anywhere, for those who operate queues."""

from .context import ADMIN, OPERATOR, READ_ONLY, VERBS, Access

__all__ = ("ADMIN", "OPERATOR", "READ_ONLY", "VERBS", "Access")
