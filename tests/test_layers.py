"""The floors: every import of the library and the application, held to the plan of the house."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FLOORS = {
    "constants": 1,
    "typing": 1,
    "errors": 0,  # telemetry raises them, too
    "version": 1,
    "telemetry": 1,
    "speaking": 1,
    "utils": 2,
    "service": 2,
    "signals": 2,
    "embedded": 2,
    "surroundings": 3,
    "model": 3,
    "probes": 3,
    "cron": 4,
    "redis_settings": 4,
    "logs": 4,
    "engine": 4,
    "ledger": 4,
    "jobs": 5,
    "offering": 5,
    "outbox": 5,
    "reconcile": 6,
    "runtime": 5,
    "enqueuing": 6,
    "workflows": 6,
    "client": 7,
    "clusters": 8,
    "connections": 9,
    "transactions": 9,
    "inspector": 10,
    "settings": 10,
    "books": 10,
    "crew": 11,
    "migration": 11,
    "console": 11,
    "worker": 12,
    "observe": 12,
    "dashboard": 12,
    "fleet": 13,
    "testing": 13,
    "cli": 14,
    "fastapi": 14,
    "__main__": 15,
    "": 15,  # arqlite/__init__.py is the face: it shows everything, and only __main__ may look at it
}

# What a room may take from runtime without wiring: plain values.
RUNTIME_VALUES = {"Counters", "Hooks", "Limits", "REDIS_TROUBLE", "Trust"}

# Who may put the parts of a worker together: the crew all of them, the books those that keep the ledger, the
# testing kit those that run one job.
WIRERS = {"crew", "books", "testing"}

# What an application may import. None stands for the module's `__all__`.
PUBLIC_MODULES = {
    "arqlite",
    "arqlite.connections",
    "arqlite.console",
    "arqlite.constants",
    "arqlite.cron",
    "arqlite.dashboard",
    "arqlite.embedded",
    "arqlite.errors",
    "arqlite.fastapi",
    "arqlite.fleet",
    "arqlite.jobs",
    "arqlite.ledger",
    "arqlite.logs",
    "arqlite.migration",
    "arqlite.observe",
    "arqlite.observe.prometheus",
    "arqlite.observe.otel",
    "arqlite.observe.sentry",
    "arqlite.observe.structlog",
    "arqlite.service",
    "arqlite.telemetry",
    "arqlite.testing",
    "arqlite.transactions",
    "arqlite.typing",
    "arqlite.utils",
    "arqlite.version",
    "arqlite.worker",
    "arqlite.workflows",
}


@dataclass(frozen=True)
class Import:
    """One imported name: who imports it, from which module, at which line."""

    importer: str
    module: str
    name: str | None
    line: int

    def __str__(self) -> str:
        what = f"{self.name} from {self.module}" if self.name else self.module
        return f"{self.importer}:{self.line} imports {what}"


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, importer: str, *, is_package: bool) -> Iterator[Import]:
    """Read every import, also inside functions and under TYPE_CHECKING, with relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = importer.split(".")
                kept = len(parts) - node.level + (1 if is_package else 0)
                base = ".".join([*parts[:kept], *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(importer, base, alias.name, node.lineno)


def read(folder: str) -> list[Import]:
    found: list[Import] = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        found += imports_of(source, module_name(path), is_package=path.name == "__init__.py")
    assert len(found) > 20, f"{folder}/ was not found"
    return found


def modules_of(folder: str) -> set[str]:
    return {module_name(path) for path in (ROOT / folder).rglob("*.py")}


def target_of(found: Import, modules: set[str]) -> str:
    """Tell which module an import reaches: `from ..model import codec` reaches `arqlite.model.codec`."""
    inner = f"{found.module}.{found.name}"
    return inner if found.name and inner in modules else found.module


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def floor_fault(found: Import, modules: set[str]) -> str | None:
    """Say how an import of the library breaks the plan, or None."""
    target = target_of(found, modules)
    if target.split(".")[0] != "arqlite":
        return f"{found}: the library knows no application" if target.split(".")[0] == "app" else None
    here, there = room(found.importer), room(target)
    if there not in FLOORS or here not in FLOORS:
        return f"{found}: {there if there not in FLOORS else here} stands on no floor of this table"
    if here == there:
        return f"{found}: only the face itself may name the face" if found.importer == target else None
    if here == "":
        return None
    if FLOORS[there] >= FLOORS[here] and (here, there) != ("__main__", "cli"):
        return f"{found}: from floor {FLOORS[here]} to floor {FLOORS[there]}"
    if there == "runtime" and here not in WIRERS and found.name not in RUNTIME_VALUES:
        return f"{found}: only crew.py wires the services"
    return None


def application_fault(found: Import) -> str | None:
    """Say what an application's import takes that is not public, or None."""
    if found.module.split(".")[0] != "arqlite":
        return None
    if found.module not in PUBLIC_MODULES:
        return f"{found}: {found.module} is not public"
    if found.name is None:
        return None
    if f"{found.module}.{found.name}" in PUBLIC_MODULES:
        return None
    module = importlib.import_module(found.module)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [name for name in vars(module) if not name.startswith("_")]
    return None if found.name in names else f"{found}: {found.name} is not public"


def circles(edges: Iterable[tuple[str, str]]) -> list[str]:
    """Find modules that import each other, directly or around corners."""
    graph: dict[str, set[str]] = {}
    for importer, imported in edges:
        graph.setdefault(importer, set()).add(imported)
    caught: list[str] = []
    for module in graph:
        seen: set[str] = set()
        todo = list(graph[module])
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo += graph.get(other, ())
        if module in seen:
            caught.append(module)
    return sorted(caught)


def edges_of(found: list[Import], modules: set[str]) -> list[tuple[str, str]]:
    return [(one.importer, target) for one in found if (target := target_of(one, modules)) in modules]


def planted(line: str, importer: str, *, is_package: bool = False) -> Import:
    [found] = imports_of(line, importer, is_package=is_package)
    return found


def test_library_imports_go_down_the_floors() -> None:
    """Every import of the library goes to a floor below."""
    modules = modules_of("arqlite")

    faults = [fault for found in read("arqlite") if (fault := floor_fault(found, modules))]

    assert faults == []


def test_application_takes_public_names_only() -> None:
    """The application imports nothing of the library that its users cannot rely on."""
    faults = [fault for found in read("app") if (fault := application_fault(found))]

    assert faults == []


def test_application_is_not_imported_by_the_library() -> None:
    """The library can be installed without the application."""
    assert [str(found) for found in read("arqlite") if found.module.split(".")[0] == "app"] == []


@pytest.mark.parametrize("folder", ["arqlite", "app"])
def test_no_modules_import_each_other(folder: str) -> None:
    """No two modules need each other, not even inside functions or for annotations."""
    assert circles(edges_of(read(folder), modules_of(folder))) == []


def test_every_room_stands_on_a_floor() -> None:
    """A new room has to be given its floor in the plan first."""
    assert {room(module) for module in modules_of("arqlite")} <= FLOORS.keys()


@pytest.mark.parametrize(
    ("line", "importer"),
    [
        ("from ..engine import Keys", "arqlite.model.codec"),
        ("from ..ledger import store", "arqlite.engine.redis"),
        ("from ..engine import Engine", "arqlite.ledger.recorder"),
        ("def f():\n    from .worker import Worker", "arqlite.jobs"),
        ("if TYPE_CHECKING:\n    from .connections import ArqRedis", "arqlite.typing"),
        ("from .. import ArqRedis", "arqlite.runtime.producer"),
        ("import arqlite", "arqlite.worker"),
        ("from arqlite.inspector import Inspector", "arqlite.runtime.health"),
        ("from ..testing import drain_queue", "arqlite.runtime.producer"),
        ("from ..dashboard import create_dashboard", "arqlite.runtime.health"),
        ("from .jobs import Job", "arqlite.runtime"),
        ("from .runtime.producer import Producer", "arqlite.settings"),
        ("from app.models import Job", "arqlite.ledger.rows"),
        ("from .attic import Box", "arqlite.worker"),
    ],
)
def test_bad_library_import_is_refused(line: str, importer: str) -> None:
    """An import that climbs, knows its neighbour's wing or the face, or wires is found."""
    found = planted(line, importer)

    assert floor_fault(found, modules_of("arqlite")) is not None


@pytest.mark.parametrize(
    ("line", "importer", "is_package"),
    [
        ("from ..errors import SessionLost", "arqlite.engine.redis", False),
        ("from .keys import Keys", "arqlite.engine", True),
        ("from . import constants", "arqlite.worker", False),
        ("from .runtime.executor import Hooks", "arqlite.settings", False),
        ("from redis.asyncio import Redis", "arqlite.connections", False),
    ],
)
def test_good_library_import_is_allowed(line: str, importer: str, is_package: bool) -> None:
    """An import that goes down, stays in its room or leaves the house is fine."""
    found = planted(line, importer, is_package=is_package)

    assert floor_fault(found, modules_of("arqlite")) is None


@pytest.mark.parametrize(
    "line",
    [
        "from arqlite.engine import RedisEngine",
        "import arqlite.runtime.producer",
        "from arqlite.worker import _Session",
        "from arqlite import nothing_like_it",
        "from arqlite.model.states import JobState",
    ],
)
def test_bad_application_import_is_refused(line: str) -> None:
    """An application that reaches behind the public names is found."""
    assert application_fault(planted(line, "app.core.setup")) is not None


def test_planted_circle_is_found() -> None:
    """Three modules that import each other around a corner are all named; their user is not."""
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("user", "a")]

    assert circles(edges) == ["a", "b", "c"]
