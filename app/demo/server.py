"""The server behind the queues: the project's embedded one, or the one that the settings name."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from arqlite.embedded import EmbeddedServer, wait_until_gone

GRACE_SECONDS = 0.2
"""The demo's server ends with the demo: no command follows that would be glad to find it warm."""

END_SECONDS = 8.0


class Server:
    """The demo's hold on the server. Starting blocks for 0.1 s or so.

    Attributes:
        name: what it is called.
        detail: version and address, for people.
        address: its URL, without a password.
        seconds: how long it took until it answered; None of a server that nobody here started.
    """

    def __init__(self, redis_url: str | None, data_dir: Path) -> None:
        began = time.monotonic()
        self._data_dir = data_dir
        self.seconds: float | None = None
        self._embedded: EmbeddedServer | None = None
        if redis_url is not None:
            self.name = "redis"
            self.address = without_password(redis_url)
            self.detail = f"{self.address} (REDIS_URL)"
        else:
            self._embedded = EmbeddedServer.ensure(data_dir, grace=GRACE_SECONDS)
            self.name = "valkey" if self._embedded.binary_kind != "redis-server" else "redis"
            self.address = self._embedded.url()
            self.detail = f"{self._embedded.version}, embedded"
            self.seconds = time.monotonic() - began

    async def close(self) -> bool:
        """Let go, and wait for the embedded server's end; False if others of the project use it still."""
        if self._embedded is None:
            return True
        self._embedded.release()
        return await asyncio.to_thread(wait_until_gone, self._data_dir, END_SECONDS)


def without_password(url: str) -> str:
    """A URL that may be shown: user and host stay, the password does not."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))
