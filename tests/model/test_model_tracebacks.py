"""What failures have in common."""

from __future__ import annotations

import traceback

import pytest

from arqlite.model.tracebacks import fingerprint_of, folded, own_frame

OWN = '  File "/srv/shop/app/mail.py", line {line}, in send\n    raise Broken(user)\n'
LIBRARY = (
    '  File "/srv/venv/lib/python3.12/site-packages/httpx/_client.py", line 9, in get\n    return self()\n'
)
RUNNER = '  File "/srv/venv/arqlite/runtime/executor.py", line 120, in _call\n    return await call\n'


def text(*frames: str) -> str:
    return "Traceback (most recent call last):\n" + "".join(frames) + "app.Broken: oh no"


def test_deepest_line_of_the_users_own_code_is_found() -> None:
    """Frames of libraries below it and of the runner above it are passed over."""
    frame = own_frame(text(RUNNER, OWN.format(line=42), LIBRARY))

    assert frame is not None
    assert frame.place == "shop.app.mail:42 in send"


def test_line_may_move_within_its_file() -> None:
    """After a release that added a line above, the failure is still the same one."""
    before, after = own_frame(text(OWN.format(line=42))), own_frame(text(OWN.format(line=43)))

    assert before is not None
    assert after is not None
    assert before.key == after.key


@pytest.mark.parametrize(
    "trace", ["", "no traceback", text(RUNNER, LIBRARY), '  File "<string>", line 1, in f']
)
def test_without_a_line_of_their_own_there_is_none(trace: str) -> None:
    """What failed in a library alone has no frame of its user."""
    assert own_frame(trace) is None


def test_last_of_chained_exceptions_counts() -> None:
    """What was raised because of another exception is told by where it was raised itself."""

    def first() -> None:
        raise KeyError("a")

    def second() -> None:
        try:
            first()
        except KeyError as error:
            raise ValueError("b") from error

    with pytest.raises(ValueError, match="b") as caught:
        second()
    frame = own_frame("".join(traceback.format_exception(caught.value)))

    assert frame is not None
    assert frame.place.endswith("in second")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("user 42 of 7 is gone", "user # of # is gone"),
        ("no key 3f2a9c01deadbeef", "no key #"),
        ("at 0x7f00aa", "at #"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id #"),
        ("two\n  lines", "two lines"),
        ("decade facade", "decade facade"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_message_is_folded(message: str, told: str) -> None:
    """What differs from failure to failure is not a part of what they have in common."""
    assert folded(message) == told


def test_fingerprint_is_that_of_what_is_the_same() -> None:
    """Queue, function, exception and place make the failure; without a place its message does."""
    frame = own_frame(text(OWN.format(line=42)))
    one = fingerprint_of("mail", "send", "app.Broken", frame, "user 1")

    assert one == fingerprint_of("mail", "send", "app.Broken", frame, "of another message")
    assert one != fingerprint_of("other", "send", "app.Broken", frame, "user 1")
    assert one != fingerprint_of("mail", "send", "app.Other", frame, "user 1")
    assert fingerprint_of("mail", "send", "E", None, "user 1") == fingerprint_of(
        "mail", "send", "E", None, "user 2"
    )
    assert fingerprint_of("mail", "send", "E", None, "a") != fingerprint_of("mail", "send", "E", None, "b")
    assert one.isalnum()


def test_failure_is_the_same_wherever_the_code_lies() -> None:
    """Hosts may have the code in different folders: a failure is one group all the same."""
    here = own_frame(text('  File "/x/rv/shop/tasks.py", line 42, in send\n    raise Broken(user)\n'))
    there = own_frame(text('  File "/app/tasks.py", line 42, in send\n    raise Broken(user)\n'))

    assert here is not None
    assert there is not None
    assert here.key == there.key


def test_files_of_one_name_in_many_packages_are_told_apart() -> None:
    """Of a package's `__init__.py` the name of the package counts."""
    line = '  File "/srv/{}/__init__.py", line 42, in send\n    raise Broken(user)\n'
    mail, bank = own_frame(text(line.format("mail"))), own_frame(text(line.format("bank")))

    assert mail is not None
    assert bank is not None
    assert mail.key != bank.key
