"""Sending mail: over SMTP, or into a file where no server is set."""

from __future__ import annotations

import asyncio
import logging
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Any

import aiosmtplib

from app.core.config import Settings, settings
from app.errors import MailNotSentError

logger = logging.getLogger("app.mail")


def compose(to: str, subject: str, body: str, *, message_key: str) -> EmailMessage:
    """A message whose Message-ID comes from `message_key`.

    A job may run twice when its worker dies: the same key makes the same id, so that the receiving
    side can tell a repetition from a second message.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = settings.MAIL_FROM
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{message_key}@arqlite.example>"
    message.set_content(body)
    return message


async def deliver(message: EmailMessage, config: Settings = settings) -> dict[str, Any]:
    """Send a message, or keep it as a file; tell which.

    Returns:
        `{"sent_to", "message_id", "delivered": True, "server"}` or `{…, "delivered": False, "saved_as"}`.

    Raises:
        MailNotSentError: the server did not take it; the message says why, without the mail's text.
    """
    told = {"sent_to": str(message["To"]), "message_id": str(message["Message-ID"])}
    if config.SMTP_HOST:
        await _send(message, config)
        return told | {"delivered": True, "server": f"{config.SMTP_HOST}:{config.SMTP_PORT}"}
    path = await asyncio.to_thread(_save, message, config.data_dir / "outbox")
    logger.info("no SMTP server is set (SMTP_HOST): the message to %s is kept in %s", message["To"], path)
    return told | {"delivered": False, "saved_as": str(path)}


async def _send(message: EmailMessage, config: Settings) -> None:
    password = config.SMTP_PASSWORD.get_secret_value() if config.SMTP_PASSWORD else None
    try:
        await aiosmtplib.send(
            message,
            hostname=config.SMTP_HOST,
            port=config.SMTP_PORT,
            username=config.SMTP_USERNAME,
            password=password,
            use_tls=config.SMTP_TLS == "tls",
            start_tls={"starttls": True, "none": False}.get(config.SMTP_TLS or ""),
            timeout=config.SMTP_TIMEOUT,
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailNotSentError(
            f"{config.SMTP_HOST}:{config.SMTP_PORT} did not take the message to {message['To']}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _save(message: EmailMessage, folder: Path) -> Path:
    """Write the file under another name first: who looks into the folder sees whole messages only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = "".join(char if char.isalnum() or char in "-_" else "_" for char in str(message["Message-ID"]))
    path = folder / f"{name.strip('_')}.eml"
    partial = path.with_suffix(".part")
    partial.write_bytes(message.as_bytes())
    partial.chmod(0o600)
    partial.replace(path)
    return path
