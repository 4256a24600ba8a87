"""The port of the API."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app.demo.errors import CannotStartError
from app.demo.ports import HOST, choose_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HOST, 0)) as listening:
        yield listening.getsockname()[1]


def test_taken_port_is_refused_in_words(taken: int) -> None:
    """A port asked for that is taken is named, with what to do."""
    with pytest.raises(CannotStartError, match=f"port {taken} cannot be used: address already in use.*leave"):
        choose_port(taken)


def test_free_port_is_found_without_asking(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the usual port is taken the next free one is."""
    monkeypatch.setattr("app.demo.ports.USUAL_PORT", taken)

    port = choose_port(None)

    assert port != taken
    with socket.create_server((HOST, port)) as listening:
        assert listening.getsockname()[1] == port
