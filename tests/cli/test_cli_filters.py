"""The words of a filter as a shell hands them on."""

from __future__ import annotations

import pytest

from arqlite.cli.exits import Wrong
from arqlite.cli.filters import parsed
from arqlite.console import Query


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["state:discarded", "queue:mail,default"], "state:discarded queue:mail,default"),
        (["state:discarded queue:mail"], "state:discarded queue:mail"),
        (["meta.tenant:ACME Ltd"], 'meta.tenant:"ACME Ltd"'),
        (['meta.tenant:"ACME Ltd"'], 'meta.tenant:"ACME Ltd"'),
        ([], ""),
    ],
)
def test_words_are_one_query(words: list[str], text: str) -> None:
    """Words, and words in quotes that the shell took away, mean what they would in the dashboard."""
    assert parsed(words) == Query.parse(text)


def test_word_that_cannot_be_read() -> None:
    """A name that is not there ends with the message of the grammar."""
    with pytest.raises(Wrong, match="did you mean state:") as raised:
        parsed(["stat:discarded"])

    assert raised.value.exit_code == 2
