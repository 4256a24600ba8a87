"""Whatever the bytes: a message, or UnreadableMessage, and text that every database takes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import app
from app.services.mail import ParsedMessage, UnreadableMessage, parse_message

SAMPLES = sorted((Path(app.__file__).parent / "sample_mailbox").glob("*.eml"))
INSERTED = [
    b"\n", b"\r\n", b"\r", b"\x00", b"--", b"=", b'"', b";", b"\xff\xfe", b"\x1b$B", b"=?utf-8?b?",
    b"=?x?q?=zz?=", b"Content-Type: message/rfc822\n\n", b"Content-Type: multipart/mixed; boundary=",
    b"charset=idna", b"charset*0*=", b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: x-uuencode\n", b"begin 644 a\n", b"<table><td>",
    b"Date: Tue, 3 Mar 99999 10:00:00 +99999\n", b"From: (((", b"\xed\xa0\x80",
]  # fmt: skip


def mutated(original: bytes, chance: random.Random) -> bytes:
    data = bytearray(original)
    for _ in range(chance.randint(1, 25)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[place : place + 1] = chance.randbytes(1)
            case 1:
                del data[place : place + chance.randint(1, 60)]
            case 2:
                data[place:place] = chance.randbytes(chance.randint(1, 20))
            case 3:
                start = chance.randrange(len(data) + 1)
                data[place:place] = data[start : start + chance.randint(1, 200)]
            case _:
                data[place:place] = chance.choice(INSERTED)
    return bytes(data)


def texts(message: ParsedMessage) -> Iterator[str]:
    yield from (message.subject, message.sender, message.sender_name, message.to, message.text)
    yield from (message.message_id or "", message.dedupe_key, *message.warnings)
    for attachment in message.attachments:
        yield from (attachment.name, attachment.content_type)


def check(raw: bytes) -> None:
    try:
        message = parse_message(raw)
    except UnreadableMessage:
        return
    for text in texts(message):
        text.encode("utf-8")
        assert "\x00" not in text
    assert message.date is None or message.date.utcoffset() is not None
    assert message.dedupe_key


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_mutated_message_is_read_or_named_unreadable(path: Path) -> None:
    """No damage to a real message raises anything but UnreadableMessage."""
    chance = random.Random(path.stem)
    original = path.read_bytes()

    for _ in range(120):
        check(mutated(original, chance))


def test_every_beginning_of_a_message_is_read() -> None:
    """A download that broke off at any byte is still read."""
    original = SAMPLES[0].read_bytes()

    for end in range(1, len(original), 7):
        check(original[:end])


def test_random_bytes_are_read_or_named_unreadable() -> None:
    """Noise raises nothing else."""
    chance = random.Random(7)

    for _ in range(400):
        check(chance.randbytes(chance.randint(0, 600)))
