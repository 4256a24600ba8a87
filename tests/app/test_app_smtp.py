"""Sending mail, to a real SMTP server on loopback or into a file."""

from __future__ import annotations

import asyncio
import stat
import warnings
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.core.config import Settings
from app.errors import MailNotSentError
from app.services.smtp_service import compose, deliver


class Peer:
    """A mail server that keeps what it is given, and refuses whom it shall refuse."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.received.append(envelope)
        return "250 taken"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any) -> AuthResult:
    is_known = isinstance(login, LoginPassword) and (login.login, login.password) == (b"ada", b"secret")
    return AuthResult(success=is_known, handled=is_known)


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture(params=[False, True], ids=["open", "login"])
async def config(request: pytest.FixtureRequest, peer: Peer) -> AsyncIterator[Settings]:
    """Settings that lead to the peer, which may ask for a login."""
    asks = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises against logins without TLS, on loopback, too
            return SMTP(peer, hostname="peer.example", loop=loop, **(asks if request.param else {}))

    server = await loop.create_server(serve, "127.0.0.1", 0)
    login = {"SMTP_USERNAME": "ada", "SMTP_PASSWORD": "secret"} if request.param else {}
    yield Settings(
        SMTP_HOST="127.0.0.1", SMTP_PORT=server.sockets[0].getsockname()[1], SMTP_TLS="none", **login
    )
    server.close()


async def test_message_reaches_the_server(peer: Peer, config: Settings) -> None:
    """The server gets the message as it was written, umlauts and all."""
    told = await deliver(compose("ada@example.com", "Grüße", "Zürich ☂\n", message_key="job1"), config)

    assert (told["delivered"], told["sent_to"]) == (True, "ada@example.com")
    [envelope] = peer.received
    got = message_from_bytes(envelope.original_content or b"", policy=default)
    assert (got["Subject"], got["Message-ID"]) == ("Grüße", "<job1@arqlite.example>")
    assert got.get_content().strip() == "Zürich ☂"
    assert envelope.rcpt_tos == ["ada@example.com"]


async def test_refusal_is_told(peer: Peer, config: Settings) -> None:
    """A server that does not take the message is an error in its words, without the message's text."""
    message = compose("nobody@example.com", "hello", "the text", message_key="job1")

    with pytest.raises(MailNotSentError, match="no such mailbox") as caught:
        await deliver(message, config)

    assert "the text" not in str(caught.value)
    assert peer.received == []


async def test_server_that_is_not_there_is_told() -> None:
    """Nobody listens: the error names host and port."""
    config = Settings(SMTP_HOST="127.0.0.1", SMTP_PORT=9, SMTP_TLS="none", SMTP_TIMEOUT=5)
    with pytest.raises(MailNotSentError, match=r"127\.0\.0\.1:9 did not take"):
        await deliver(compose("ada@example.com", "hello", "text", message_key="job1"), config)


async def test_without_a_server_the_message_is_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With no server set the message is kept as a file that only its owner reads, and the log says so."""
    caplog.set_level("INFO")
    told = await deliver(
        compose("ada@example.com", "hello", "text", message_key="job/../1"), Settings(DATA_DIR=tmp_path)
    )

    [path] = (tmp_path / "outbox").iterdir()
    assert (told["delivered"], told["saved_as"]) == (False, str(path))
    assert b"Subject: hello" in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "no SMTP server is set" in caplog.text


async def test_repeated_job_writes_the_same_file(tmp_path: Path) -> None:
    """A job that runs twice after a crash makes one message, not two."""
    for _ in range(2):
        await deliver(
            compose("ada@example.com", "hello", "text", message_key="job1"), Settings(DATA_DIR=tmp_path)
        )

    assert len(list((tmp_path / "outbox").iterdir())) == 1


def test_header_injection_is_refused() -> None:
    """An address that carries a line of its own does not become a header."""
    with pytest.raises(ValueError, match="linefeed"):
        compose("ada@example.com\nBcc: eve@example.com", "hello", "text", message_key="job1")
