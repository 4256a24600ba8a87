"""A port on the loopback interface for the API."""

from __future__ import annotations

import socket

from app.demo.errors import CannotStartError

HOST = "127.0.0.1"
USUAL_PORT = 8000
_TRIED_IN_A_ROW = 20


def choose_port(wanted: int | None) -> int:
    """The wanted port, or without one the first that is free from 8000 on, else any.

    Raises:
        CannotStartError: the wanted port is taken, or not for this user.
    """
    if wanted is not None:
        if (trouble := _trouble_with(wanted)) is not None:
            raise CannotStartError(
                f"port {wanted} cannot be used: {trouble}. "
                "Name another one, or leave --port out to get a free one."
            )
        return wanted
    in_a_row = range(USUAL_PORT, USUAL_PORT + _TRIED_IN_A_ROW)
    return next((port for port in in_a_row if _trouble_with(port) is None), None) or _any_free_port()


def _trouble_with(port: int) -> str | None:
    with _socket() as probe:
        try:
            probe.bind((HOST, port))
            probe.listen(1)  # two may be bound to a port at once with SO_REUSEADDR, but not listen
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return None


def _any_free_port() -> int:
    with _socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _socket() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As the API's own socket has it: connections of an earlier run that linger do not block the port.
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return found
