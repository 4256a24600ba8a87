"""The dashboard: an ASGI application that mounts anywhere, for those who operate queues."""

from ..errors import MissingExtra

try:
    import jinja2  # noqa: F401
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
except ImportError as error:
    raise MissingExtra("The dashboard", "dashboard") from error

from .app import create_dashboard, running
from .auth import basic_auth, bearer, first_of, trusted_header
from .context import ADMIN, OPERATOR, READ_ONLY, VERBS, Access

__all__ = (
    "ADMIN",
    "OPERATOR",
    "READ_ONLY",
    "VERBS",
    "Access",
    "basic_auth",
    "bearer",
    "create_dashboard",
    "first_of",
    "running",
    "trusted_header",
)
