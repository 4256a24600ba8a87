"""Tracebacks to read: own code stays, libraries are folded."""

from __future__ import annotations

from dashboard_toys import TRACEBACK

from arqlite.dashboard.pages.tracebacks import Passage, folded


def test_frames_of_libraries_are_folded() -> None:
    """Frames of installed packages and of arqlite are apart from the user's own."""
    passages = folded(TRACEBACK)

    assert [(passage.is_foreign, passage.frames) for passage in passages] == [
        (False, 0),
        (True, 1),
        (False, 1),
        (True, 1),
        (False, 0),
    ]
    assert 'File "/srv/shop/tasks.py"' in passages[2].text
    assert passages[-1].text.startswith("aiosmtplib.errors.SMTPServerDisconnected")


def test_nothing_is_lost_by_folding() -> None:
    """The passages together are the traceback."""
    assert "\n".join(passage.text for passage in folded(TRACEBACK)) == TRACEBACK.rstrip("\n")


def test_frames_that_follow_each_other_are_one_passage() -> None:
    """Ten frames of a library are folded once, with their number."""
    frame = '  File "/venv/lib/python3.13/site-packages/x.py", line 1, in f\n    f()\n    ^^^\n'

    passages = folded("Traceback (most recent call last):\n" + frame * 10 + "ValueError: no")

    assert [(passage.frames, passage.is_foreign) for passage in passages] == [
        (0, False),
        (10, True),
        (0, False),
    ]


def test_error_itself_is_no_frame() -> None:
    """The line of the exception stands for itself, also right below the user's own frame."""
    passages = folded('  File "/srv/shop/tasks.py", line 1, in f\n    f()\n    ^^^\nValueError: no')

    assert [(passage.text.split("\n")[0].strip()[:10], passage.frames) for passage in passages] == [
        ('File "/srv', 1),
        ("ValueError", 0),
    ]


def test_what_is_no_traceback_stays_as_it_is() -> None:
    """Any text may stand where a traceback is expected."""
    assert folded("just words\nand more") == [Passage("just words\nand more")]
