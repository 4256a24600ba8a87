"""The mailbox on disk: folder, mbox, Maildir, single file."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from app.services.providers import MailboxProvider, ProviderError, RawMessage
from app.services.providers import mailbox as mailbox_module
from app.services.providers.mailbox_files import read_mailbox


async def fetch(path: Path, limit: int | None = None, page_size: int = 50) -> list[list[RawMessage]]:
    async with MailboxProvider() as provider:
        await provider.connect({"path": str(path)})
        return [page async for page in provider.pages(limit, page_size)]


def flat(pages: list[list[RawMessage]]) -> list[tuple[str, str, bytes]]:
    return [(message.uid, message.source, message.raw) for page in pages for message in page]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.eml").write_bytes(b"Subject: two\n\n")
    (tmp_path / "a.EML").write_bytes(b"Subject: one\n\n")
    (tmp_path / "notes.txt").write_bytes(b"no mail")
    return tmp_path


async def test_folder_is_read_with_its_subfolders_in_a_stable_order(folder: Path) -> None:
    """Every .eml file is one message, known by its path inside the folder."""
    assert flat(await fetch(folder)) == [
        ("a.EML", "a.EML", b"Subject: one\n\n"),
        ("b/2.eml", "b/2.eml", b"Subject: two\n\n"),
    ]


async def test_pages_hold_at_most_page_size_and_limit_counts_messages(tmp_path: Path) -> None:
    """Five messages in pages of two, four of them wanted."""
    for number in range(5):
        (tmp_path / f"{number}.eml").write_bytes(b"x")

    assert [len(page) for page in await fetch(tmp_path, limit=4, page_size=2)] == [2, 2]
    assert [len(page) for page in await fetch(tmp_path, limit=3, page_size=2)] == [2, 1]
    assert [len(page) for page in await fetch(tmp_path, page_size=2)] == [2, 2, 1]
    assert await fetch(tmp_path, limit=0) == []


async def test_mbox_file_is_known_by_its_content(tmp_path: Path) -> None:
    """A message keeps its uid when another one before it is deleted; its source tells its place."""
    first, second = b"From -\nSubject: a\n\nx\n\n", b"From -\nSubject: b\n\ny\n"
    path = tmp_path / "archive"
    path.write_bytes(first + second)
    before = flat(await fetch(path))
    path.write_bytes(second)
    after = flat(await fetch(path))

    assert [source for _, source, _ in before] == ["archive#1", "archive#2"]
    assert before[1][0] == after[0][0]
    assert after[0][1] == "archive#1"


async def test_equal_messages_of_an_mbox_have_different_uids(tmp_path: Path) -> None:
    """The same message twice is two places in the mailbox."""
    path = tmp_path / "twice.mbox"
    path.write_bytes(b"From -\nSubject: a\n\nx\n\n" * 2)

    uids = [uid for uid, _, _ in flat(await fetch(path))]

    assert len(set(uids)) == 2


async def test_maildir_reads_cur_and_new_and_ignores_flags(tmp_path: Path) -> None:
    """A message read by a mail program moves to cur and gets flags: it stays the same message."""
    for name in ("cur", "new", "tmp", ".Archive/cur"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "new" / "2.host").write_bytes(b"two")
    (tmp_path / "cur" / "1.host:2,S").write_bytes(b"one")
    (tmp_path / "tmp" / "3.host").write_bytes(b"half delivered")
    (tmp_path / ".Archive" / "cur" / "4.host:2,").write_bytes(b"four")
    before = flat(await fetch(tmp_path))
    (tmp_path / "new" / "2.host").rename(tmp_path / "cur" / "2.host:2,RS")
    after = flat(await fetch(tmp_path))

    assert [(uid, raw) for uid, _, raw in before] == [
        (".Archive/4.host", b"four"),
        ("1.host", b"one"),
        ("2.host", b"two"),
    ]
    assert [uid for uid, _, _ in after] == [uid for uid, _, _ in before]


async def test_folder_may_hold_mbox_files(tmp_path: Path) -> None:
    """Each message of an mbox in the folder is handed out, known by file and content."""
    (tmp_path / "Old.mbox").mkdir()
    (tmp_path / "Old.mbox" / "mbox").write_bytes(b"From -\nSubject: a\n\nx\n\nFrom -\nSubject: b\n\ny\n")
    (tmp_path / "new.mbox").write_bytes(b"From -\nSubject: c\n\nz\n")

    sources = [source for _, source, _ in flat(await fetch(tmp_path))]

    assert sorted(sources) == ["Old.mbox/mbox#1", "Old.mbox/mbox#2", "new.mbox#1"]


async def test_single_eml_file_is_one_message_even_with_a_from_line(tmp_path: Path) -> None:
    """A file named .eml is a message, also when an mbox's first line was left in it."""
    path = tmp_path / "one.eml"
    path.write_bytes(b"From -\nSubject: a\n\nx\n")

    assert flat(await fetch(path)) == [("one.eml", "one.eml", b"From -\nSubject: a\n\nx\n")]


async def test_unreadable_files_are_named_and_the_others_are_read(folder: Path) -> None:
    """A dangling link and a named pipe are skipped by name; no pipe is ever opened."""
    (folder / "gone.eml").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.eml")
    provider = MailboxProvider()
    await provider.connect({"path": folder})

    pages = [page async for page in provider.pages()]

    assert len(flat(pages)) == 2
    assert [(skipped.source, skipped.reason) for skipped in provider.skipped] == [
        ("gone.eml", "no such file or directory"),
        ("pipe.eml", "is not a regular file"),
    ]


def test_file_above_the_limit_is_skipped_by_name(tmp_path: Path) -> None:
    """A message that would not fit into memory is named with its size."""
    (tmp_path / "big.eml").write_bytes(b"x" * 11)

    [found] = read_mailbox(tmp_path, max_bytes=10)

    assert found.source == "big.eml"
    assert not isinstance(found, RawMessage)
    assert "11" in found.reason


async def test_second_iteration_starts_anew(folder: Path) -> None:
    """What was skipped in one run is not told twice in the next."""
    (folder / "gone.eml").symlink_to(folder / "nowhere")
    provider = MailboxProvider()
    await provider.connect({"path": folder})
    for _ in range(2):
        assert len(flat([page async for page in provider.pages()])) == 2

    assert len(provider.skipped) == 1


async def test_page_ends_early_when_it_holds_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large messages do not pile up in one page."""
    monkeypatch.setattr(mailbox_module, "PAGE_BYTES", 10)
    for number in range(3):
        (tmp_path / f"{number}.eml").write_bytes(b"x" * 10)

    assert [len(page) for page in await fetch(tmp_path)] == [1, 1, 1]


async def test_files_are_read_off_the_event_loop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that runs the event loop opens no file."""
    readers: set[int] = set()
    read_bytes = Path.read_bytes

    def noting(self: Path) -> bytes:
        readers.add(threading.get_ident())
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", noting)
    await fetch(folder)

    assert readers
    assert threading.get_ident() not in readers


@pytest.mark.parametrize("credentials", [{}, {"path": ""}])
async def test_missing_path_is_an_error_that_says_so(credentials: dict[str, str]) -> None:
    """The caller learns what the credentials must hold."""
    with pytest.raises(ProviderError, match="path"):
        await MailboxProvider().connect(credentials)


async def test_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A typing mistake in the path is told with the path."""
    with pytest.raises(ProviderError, match="nowhere"):
        await MailboxProvider().connect({"path": tmp_path / "nowhere"})


async def test_pages_before_connect_is_an_error() -> None:
    """A forgotten connect() is told, not answered with an empty mailbox."""
    with pytest.raises(ProviderError, match="connect"):
        await anext(MailboxProvider().pages())


async def test_page_size_below_one_is_refused(folder: Path) -> None:
    """A page of nothing would never end."""
    with pytest.raises(ValueError, match="page_size must be at least 1, got 0"):
        await fetch(folder, page_size=0)
