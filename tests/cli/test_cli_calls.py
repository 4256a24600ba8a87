"""Words of a call: JSON where they can be, text where the function wants one."""

from __future__ import annotations

import click
import pytest

from arqlite import func
from arqlite.cli.calls import arguments_of, read, words_of


async def typed(ctx: object, to: str, copies: int = 1, *, ratio: float = 1.0, label: str = "") -> None: ...


async def untyped(ctx, *args, **kwargs): ...  # type: ignore[no-untyped-def] # it is what this is about


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("42", 42), ("true", True), ("null", None), ("[1, 2]", [1, 2]), ('{"a": 1}', {"a": 1}),
        ("ada", "ada"),
        ('"42"', "42"), ("1.5", 1.5), ("", ""), ("NaN", "NaN"), ("Infinity", "Infinity"), ("007", "007"),
    ],
)  # fmt: skip
def test_word_of_a_function_without_annotations(word: str, value: object) -> None:
    """A word is what JSON takes it for, else a text."""
    assert read(func(untyped), [word], {"name": word}) == ([value], {"name": value})


def test_word_is_a_text_where_one_is_wanted() -> None:
    """What looks like a number stays a text where the annotation says so, and only there."""
    assert read(func(typed), ["42", "3"], {"ratio": "2", "label": "7"}) == (
        ["42", 3],
        {"ratio": 2, "label": "7"},
    )


def test_word_that_fits_in_no_way_is_told_as_read() -> None:
    """A word that fits neither way is left to the check of the call."""
    assert read(func(typed), ["ada", "many"], {}) == (["ada", "many"], {})


def test_function_that_is_not_known() -> None:
    """A function of which only the name is known takes words as JSON has them."""
    assert read("other", ["42", "ada"], {}) == ([42, "ada"], {})


def test_pairs() -> None:
    """A pair ends at its first equals sign."""
    assert words_of(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("pair", ["a", "=1"])
def test_no_pair(pair: str) -> None:
    """What is no pair is a usage error."""
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        words_of([pair])


@pytest.mark.parametrize(
    ("text", "wanted"), [(None, ([], {})), ('{"a": 1}', ([], {"a": 1})), ("[1]", ([1], {}))]
)
def test_arguments_in_json(text: str | None, wanted: object) -> None:
    """An object has arguments by name, a list those by place."""
    assert arguments_of(text) == wanted
