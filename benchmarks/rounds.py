"""The order of a run: A B C, A B C, ..., so that a slow phase of the machine hits everybody."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field

from .bench import Bench
from .catalogue import System
from .measures import MEASURES, ONCE, takes_part
from .processes import ChildError
from .wire import WireError


@dataclass
class Results:
    """What was measured: per system and figure the values of all rounds, in their order.

    Attributes:
        values: system -> figure -> one value per round; latencies of all rounds stand in one list.
        failures: what did not work, in words.
        seconds: duration of the run.
    """

    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def of(self, system: str, figure: str) -> list[float]:
        """Read one figure of all rounds; empty when it was not measured."""
        return self.values.get(system, {}).get(figure, [])

    def add(self, system: str, figures: dict[str, float | list[float]]) -> None:
        """Append the figures of one measure of one round."""
        for name, value in figures.items():
            values = self.values[system][name]
            values.extend(value) if isinstance(value, list) else values.append(value)


def run(bench: Bench, systems: list[System], measures: list[str]) -> Results:
    """Measure everything; what fails is named in the results, and the rest goes on."""
    results = Results()
    began = time.monotonic()
    for number in range(bench.scale.rounds):
        for measure in measures:
            if number and measure in ONCE:
                continue
            for system in systems:
                if takes_part(system, measure):
                    _say(f"round {number + 1}/{bench.scale.rounds}  {measure:9} {system.name}", began)
                    _one(bench, system, measure, results)
    results.seconds = time.monotonic() - began
    _say("done", began)
    return results


def _one(bench: Bench, system: System, measure: str, results: Results) -> None:
    try:
        results.add(system.name, MEASURES[measure](bench, system))
    except (ChildError, WireError, OSError) as error:
        results.failures.append(f"{system.name}, {measure}: {error}")
        print(f"  failed: {system.name}, {measure}: {error}", file=sys.stderr)


def _say(text: str, began: float) -> None:
    print(f"[{time.monotonic() - began:5.0f} s] {text}", file=sys.stderr, flush=True)
