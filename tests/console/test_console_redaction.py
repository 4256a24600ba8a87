"""What is not shown."""

from __future__ import annotations

from typing import Any

import pytest

from arqlite.console.redaction import Hider


@pytest.mark.parametrize(
    "key", ["password", "X-Api-Key", "db_passphrase", "pwd", "AWS_ACCESS_KEY", "jwt", "credentials"]
)
def test_value_of_a_secret_key_is_hidden(key: str) -> None:
    """Keys that sound like secrets have theirs hidden, at any depth, and beside others."""
    hider = Hider()

    assert hider.shown({"to": [{key: "s3cret", "name": "ann"}]}) == {"to": [{key: "***", "name": "ann"}]}
    assert hider.has_hidden


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([["Authorization", "Bearer x"], ["Accept", "*/*"]], [["Authorization", "***"], ["Accept", "*/*"]]),
        ([("cookie", "a=b")], [["cookie", "***"]]),
        (["token", None], ["token", None]),
        (["token", "a", "b"], ["token", "a", "b"]),
    ],
)
def test_pairs_are_keys_and_values(value: Any, shown: Any) -> None:
    """Headers are often lists of pairs: they are as secret as in a dict."""
    assert Hider().shown(value) == shown
