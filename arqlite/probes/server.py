"""The HTTP server of the probes: a thread of its own, so that it answers while the event loop cannot."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import selectors
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from ..errors import ConfigurationError

logger = logging.getLogger("arqlite.probes")

# What a probe asks arrives within a packet; who takes longer has no question.
_REQUEST_TIMEOUT_S = 5.0
_REQUESTS_AT_ONCE = 16
_BACKLOG = 32

Reply = tuple[int, str, bytes]
"""Status, content type and body."""

JSON = "application/json"


class ProbeServer(ThreadingHTTPServer):
    """Answers GET and HEAD, and nothing else.

    Args:
        host: the address to listen at.
        port: the port; 0 is any that is free.
        answer: makes the reply to a path; called in a thread.

    Raises:
        ConfigurationError: nobody can listen there.
    """

    daemon_threads = True
    request_queue_size = _BACKLOG
    timeout = 0.0

    def __init__(self, host: str, port: int, answer: Callable[[str], Reply]) -> None:
        self.answer = answer
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Asked)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError(
                f"health_host {host!r}, health_port {port} cannot be had: {why}"
            ) from error
        self.is_local = ipaddress.ip_address(str(self.server_address[0])).is_loopback
        self._open: dict[Any, None] = {}
        self._lock = threading.Lock()
        self._bell, self._ring = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="arqlite:probes", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if self.address_family == socket.AF_INET6 else host
        return f"http://{shown!s}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End; takes microseconds, for requests have threads of their own."""
        self._ring.close()
        self._thread.join()
        self._bell.close()
        self.server_close()

    def server_bind(self) -> None:
        """Bind, and look up no name: a resolver that does not answer would hold the worker up."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a request a thread. Where too many have one, the eldest is cut off: it asks nothing, or the
        newest would have to wait for it.
        """
        with self._lock:
            if len(self._open) >= _REQUESTS_AT_ONCE:
                eldest = next(iter(self._open))
                del self._open[eldest]
                with contextlib.suppress(OSError):  # it may have ended by itself
                    eldest.shutdown(socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a request, in its thread."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong; somebody who hangs up is no trouble of ours."""
        logger.debug("a request to the probes from %s failed", client_address, exc_info=True)

    def server_close(self) -> None:
        """Close the socket, and wait for nobody who still asks."""
        socketserver.TCPServer.server_close(self)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            while True:
                if any(key.fileobj is self._bell for key, _ in selector.select()):
                    return
                self.handle_request()


class _Asked(BaseHTTPRequestHandler):
    """One request."""

    timeout = _REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        """Answer, whoever asks: what is told has no secrets. The `Host` decides about nothing but this."""
        server = cast("ProbeServer", self.server)
        if server.is_local and not _names_this_machine(self.headers.get("Host", "")):
            # A page in a browser here may have its own name resolve to this address.
            self._send(403, JSON, _json({"error": "ask by the address: this Host is not known here"}))
            return
        path = self.path.partition("?")[0]
        try:
            status, kind, body = server.answer(path)
        except Exception:  # the probe must hear of it, and the next one be answered
            logger.exception("the probe %s failed", path)
            status, kind, body = (
                500,
                JSON,
                _json({"error": "the probe failed; the log has the reason"}),
            )
        self._send(status, kind, body)

    do_HEAD = do_GET  # noqa: N815 (the library looks for it by this name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse as everything is told here, and not by a page of HTML."""
        if code == 501:  # what the library says of methods that it finds no function for
            self._send(405, JSON, _json({"error": "only GET and HEAD"}), ("Allow", "GET, HEAD"))
        else:
            self._send(code, JSON, _json({"error": message or self.responses.get(code, ("",))[0]}))

    def version_string(self) -> str:
        """Tell no versions."""
        return "arqlite"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
        """Log nothing: a line per probe would be most of the log."""

    def _send(self, status: int, kind: str, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (
            *headers,
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _names_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").lower()
    if name in ("", "localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _json(told: dict[str, Any]) -> bytes:
    return (json.dumps(told) + "\n").encode()
