"""The smallest Redis client that can ask a server about itself. It needs nothing but the standard library."""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


class WireError(RuntimeError):
    """The server answered with an error, or closed the connection."""


class Wire:
    """One blocking connection that speaks RESP2 and counts its own calls, so that they can be subtracted."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        parts = urlsplit(url)
        self.calls = 0
        self._socket = socket.create_connection(
            (parts.hostname or "127.0.0.1", parts.port or 6379), timeout_s
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")
        if parts.password:
            self.call("AUTH", *([parts.username] if parts.username else []), parts.password)
        if (database := parts.path.strip("/")) not in ("", "0"):
            self.call("SELECT", database)

    def call(self, *words: str | int) -> Any:
        """Send one command and return its reply; text comes as `str`, lists as `list`."""
        self.calls += 1
        packed = [str(word).encode() for word in words]
        self._socket.sendall(
            b"*%d\r\n" % len(packed) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in packed)
        )
        return self._read()

    def info(self, section: str = "default") -> dict[str, str]:
        """Read one section of INFO as a flat table."""
        lines = str(self.call("INFO", section)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._replies.close()
            self._socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> Any:
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise WireError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._read_text(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise WireError(rest.decode(errors="replace"))

    def _read_text(self, size: int) -> str:
        return self._replies.read(size + 2)[:-2].decode(errors="replace")
