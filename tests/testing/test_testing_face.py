"""The names of the kit, as a test module that imports them all sees them."""

from __future__ import annotations

import importlib
import inspect

import pytest

import arqlite.testing


def test_every_name_is_there() -> None:
    """Every name that is promised can be imported, and is found by whoever lists them."""
    for name in arqlite.testing.__all__:
        assert getattr(arqlite.testing, name) is not None

    assert set(arqlite.testing.__all__) <= set(dir(arqlite.testing))


def test_names_are_told_with_their_homes() -> None:
    """A name that is imported on demand comes from the module that has it."""
    for home, names in arqlite.testing._HOMES.items():
        module = importlib.import_module(f"arqlite.testing.{home}")
        assert [name for name in names if not hasattr(module, name)] == []


def test_unknown_name_is_refused() -> None:
    """What is not there is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = arqlite.testing.no_such_name


def test_no_name_is_taken_for_a_test() -> None:
    """pytest collects functions that begin with `test` and classes that begin with `Test`; none here does."""
    names = {name: getattr(arqlite.testing, name) for name in arqlite.testing.__all__}

    assert [name for name, one in names.items() if inspect.isfunction(one) and name.startswith("test")] == []
    assert [name for name, one in names.items() if inspect.isclass(one) and name.startswith("Test")] == []
