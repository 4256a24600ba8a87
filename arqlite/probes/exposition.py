"""Metrics of several workers as one page: each writes a whole one, and a family may be there only once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Family:
    """A metric: its HELP and TYPE, and its samples by name and labels."""

    heads: dict[str, str] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)


def merged(pages: Iterable[bytes]) -> bytes:
    """Put pages of Prometheus' text format together, family by family.

    A sample that stands in several of them, as what is told of the process, is taken from the first.
    """
    families: dict[str, _Family] = {}
    for page in pages:
        family = families.setdefault("", _Family())
        for line in page.decode().splitlines():
            if line.startswith(("# HELP ", "# TYPE ")):
                _, kind, name = line.split(maxsplit=3)[:3]
                family = families.setdefault(name, _Family())
                family.heads.setdefault(kind, line)
            elif line and not line.startswith("#"):
                family.samples.setdefault(line.rpartition(" ")[0], line)
    lines = [
        line for family in families.values() for line in (*family.heads.values(), *family.samples.values())
    ]
    return "".join(f"{line}\n" for line in lines).encode()
