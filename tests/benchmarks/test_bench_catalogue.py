from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.catalogue import SYSTEMS, select
from benchmarks.measures import MEASURES, takes_part


def test_every_system_has_its_adapter():
    """Each system of the catalogue names an adapter that exists."""
    folder = Path(__file__).parents[2] / "benchmarks" / "systems"

    assert not {system.adapter for system in SYSTEMS} - {path.stem for path in folder.glob("*.py")}


def test_every_system_takes_part_in_something():
    """No system is installed for nothing, and no measure is without a system."""
    assert all(any(takes_part(system, measure) for measure in MEASURES) for system in SYSTEMS)
    assert all(any(takes_part(system, measure) for system in SYSTEMS) for measure in MEASURES)


def test_unknown_system_is_refused_with_the_known_ones():
    """A misspelt system is an error that lists what there is."""
    with pytest.raises(ValueError, match=r"unknown systems \['arcq'\]; there are \['arq'"):
        select(["arcq"])
