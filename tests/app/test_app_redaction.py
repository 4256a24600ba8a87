"""Lines about jobs that carry secrets."""

from __future__ import annotations

import logging

import pytest

from app.core.worker.redaction import HideSecrets


def shown(message: str, *arguments: object) -> str:
    record = logging.LogRecord("arqlite.worker", logging.INFO, __file__, 1, message, arguments, None)
    assert HideSecrets().filter(record)
    return record.getMessage()


@pytest.mark.parametrize(
    ("message", "arguments", "line"),
    [
        (
            "%s → %s(%s)%s",
            (0.1, "a:send_otp_email", "otp='42'", " try=2"),
            "0.1 → a:send_otp_email(***) try=2",
        ),
        ("%s(%s) begins", ("send_otp_email", "'ada', '42'"), "send_otp_email(***) begins"),
        ("a:send_otp_email(otp='42')", (), "a:send_otp_email(***)"),
        ("%s(%s)", ("a:send_otp_email", "otp='4)2', 'line\n(42'"), "a:send_otp_email(***)"),
        ("a:send_otp_email(otp='42', and so…", (), "a:send_otp_email(***)"),
    ],
)
def test_arguments_are_blanked(message: str, arguments: tuple[object, ...], line: str) -> None:
    """However a line is put together, the arguments of a job with secrets are not in it."""
    assert shown(message, *arguments) == line


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%s → %s(%s)", (0.1, "a:send_email", "'42'")),
        ("%s ← a:send_otp_email ● %s", (0.1, "{'delivered': True}")),
        ("%s ! a:send_otp_email failed, %s: no (42)", (0.1, "MailNotSentError")),
    ],
)
def test_other_lines_stay(message: str, arguments: tuple[object, ...]) -> None:
    """What does not show the arguments of such a job is left as it is."""
    assert shown(message, *arguments) == message % arguments
