"""A few words with a server over its Unix socket, without a Redis client."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NamedTuple

from .binaries import BinaryKind, kind_of

_ANSWER_SECONDS = 1.0


class ServerInfo(NamedTuple):
    """What a running server tells about itself."""

    pid: int
    version: str
    binary_kind: BinaryKind
    socket_path: Path


def ask_info(path: Path) -> ServerInfo | None:
    """Ask the server behind a socket who it is; None while there is none, or it still loads its data."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(path))
            connection.sendall(b"PING\r\nINFO server\r\n")
            return _read_info(connection, path)
    except OSError:
        return None


def _read_info(connection: socket.socket, path: Path) -> ServerInfo | None:
    with connection.makefile("rb") as reply:
        if reply.readline() != b"+PONG\r\n":
            return None
        length = reply.readline()
        if not length.startswith(b"$"):
            return None
        text = reply.read(int(length[1:])).decode(errors="replace")
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return ServerInfo(
        pid=int(fields["process_id"]),
        version=fields.get("valkey_version") or fields["redis_version"],
        binary_kind=kind_of(fields["executable"]),
        socket_path=path,
    )
