"""What `arqlite dev` says of where things are."""

from __future__ import annotations

import pytest

from arqlite.cli.development import _without_secrets


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/2", "redis://localhost:6379/2"),
        ("redis://ann:hunter2@h/2?ssl=true", "redis://h/2"),
        ("redis://ann:hun@ter2@h/2", "redis://h/2"),
        ("postgresql://h/jobs?user=ann&password=hunter2", "postgresql://h/jobs"),
        ("redis://h?password=hun@ter2", "redis://..."),
        ("redis://ann:hunter2#x@h", "redis://..."),
        ("redis://ann:hunter2?x@h", "redis://..."),
        ("redis://ann:1/hunter2@h", "redis://..."),
        ("redis://ann:[hunter2]@h", "redis://h"),
        ("unix:///run/a@b.sock?db=1", "unix:///run/a@b.sock"),
        ("sqlite:////home/ann@work/jobs.db", "sqlite:////home/ann@work/jobs.db"),
    ],
)
def test_no_password_is_said(url: str, shown: str) -> None:
    """Where things are is said without user and password, even if these are not encoded."""
    assert _without_secrets(url) == shown
