"""The rules for Python files: what to look for in a syntax tree."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..constants import default_queue_name
from .argrules import of_arguments, of_return
from .findings import Finding, Level
from .keyrules import PREFIX_NAMES, QUEUE_COMMANDS, RAW_KEYS, fix_of_key, is_pattern_of_keys

_ROOTS = ("arq", "arqlite")
_INSIDES = frozenset(
    {
        *("run_job", "start_jobs", "heart_beat", "record_health", "run_cron", "finish_job"),
        *("finish_failed_job", "sem", "job_counter", "aborting_tasks", "_poll_iteration"),
        *("_cancel_aborted_jobs", "_release_sem_dec_counter_on_complete"),
    }
)
_ENVELOPES = {
    "serialize_job",
    "serialize_result",
    "deserialize_job",
    "deserialize_job_raw",
    "deserialize_result",
}
_WORKER_MAKERS = {"Worker", "create_worker"}
_OPTIONS = {
    "poll_delay": ("nothing is polled: a worker hears of new jobs", "leave it out"),
    "queue_read_limit": ("a worker claims what it can run", "leave it out"),
    "expires_extra_ms": (
        "arqlite's jobs expire only if told to; a value other than a day is kept, from when a job is due",
        "leave it out if it was there against arq's loss of old jobs",
    ),
    "job_serializer": ("arqlite calls it with the same dict", "keep it on pool and worker alike"),
    "job_deserializer": ("arqlite calls it with the same bytes", "keep it on pool and worker alike"),
}
_BASES_FIX = "public are run, async_run, main, run_check, close, handle_sig, tasks and the counters"

_Rule: TypeAlias = "Callable[[PythonRules, ast.AST], Iterator[Finding]]"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the whole application before its files are looked at one by one.

    Attributes:
        uses_arqlite: whether some of it has been moved already.
        has_serializer: whether it has a serializer of its own.
        queues: the names of its queues.
    """

    uses_arqlite: bool
    has_serializer: bool
    queues: frozenset[str]

    @classmethod
    def gather(cls, trees: Iterable[ast.Module]) -> Facts:
        """Read them out of all files."""
        uses_arqlite = has_serializer = False
        queues = {default_queue_name}
        for tree in trees:
            for node in ast.walk(tree):
                modules = _modules_of(node)
                uses_arqlite = uses_arqlite or any(name.split(".")[0] == "arqlite" for name in modules)
                for name, value in _named_values(node):
                    has_serializer = has_serializer or name == "job_serializer"
                    if name in ("queue_name", "_queue_name", "default_queue_name"):
                        queues.update(_texts(value))
        return cls(uses_arqlite, has_serializer, frozenset(queues))


class PythonRules:
    """Looks through one file.

    Args:
        path: the file.
        facts: what is known of the application.
    """

    def __init__(self, path: Path, facts: Facts) -> None:
        self._path = path
        self._facts = facts
        self._is_of_arq = False
        self._workers: set[str] = set()
        self._prose: set[ast.AST] = set()

    def look(self, tree: ast.Module) -> Iterator[Finding]:
        """Find all that matters in this file."""
        nodes = list(ast.walk(tree))
        self._is_of_arq = any(name.split(".")[0] in _ROOTS for node in nodes for name in _modules_of(node))
        for node in nodes:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                self._prose.add(node.value)  # docstrings may name what they like
            self._workers.update(_workers_of(node))
        for node in nodes:
            for rule in _RULES:
                yield from rule(self, node)

    def _found(self, node: ast.AST, level: Level, what: str, why: str, fix: str) -> Finding:
        return Finding(self._path, getattr(node, "lineno", 1), level, what, why, fix)

    def _imports(self, node: ast.AST) -> Iterator[Finding]:
        for module in _modules_of(node):
            if module == "sentry_sdk.integrations.arq":
                why = (
                    "Sentry's integration patches arq and does not see arqlite: errors of jobs go unreported"
                )
                fix = "report them from on_job_end, or with arqlite.telemetry.attach and JobStopped"
                yield self._found(node, Level.DIFFERS, "Sentry's ArqIntegration", why, fix)
            if module == "arq" or module.startswith("arq."):
                level = Level.DIFFERS if self._facts.uses_arqlite else Level.INFO
                why = "this still works with arq's keys in Redis, which arqlite's workers do not look at"
                yield self._found(node, level, f"import of {module}", why, f"import arqlite{module[3:]}")

    def _imported_names(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] not in _ROOTS:
            return
        module = "arqlite" + (node.module or "").removeprefix("arqlite").removeprefix("arq")
        for alias in node.names:
            name = alias.name
            if name in PREFIX_NAMES:
                why, fix = fix_of_key(PREFIX_NAMES[name])
                yield self._found(node, Level.DIFFERS, f"import of {name}", why, fix)
            elif name in _ENVELOPES:
                why = "without a serializer it reads and writes JSON, in arq a pickle"
                yield self._found(node, Level.CHECK, f"import of {name}", why, "hand it your serializer")
            elif name != "*" and not _is_there(module, name):
                why = f"{module} has no {name}"
                fix = "see docs/from-arq.md for what is public"
                yield self._found(node, Level.DIFFERS, f"import of {name}", why, fix)

    def _attributes(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.Attribute) or not self._is_of_arq:
            return
        if node.attr in PREFIX_NAMES and isinstance(node.value, ast.Name | ast.Attribute):
            why, fix = fix_of_key(PREFIX_NAMES[node.attr])
            yield self._found(node, Level.DIFFERS, f"use of {node.attr}", why, fix)
        if node.attr in _INSIDES and _name_of(node.value) in self._workers:
            why = "arqlite's Worker has other insides: this is not there, and a patch of it is never called"
            yield self._found(node, Level.DIFFERS, f"Worker.{node.attr}", why, _BASES_FIX)

    def _classes(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.ClassDef) or not self._is_of_arq:
            return
        if not any(_name_of(base) == "Worker" for base in node.bases):
            return
        replaced = [one for one in node.body if getattr(one, "name", None) in _INSIDES]
        for method in replaced:
            why = "arqlite never calls it"
            what = f"{node.name} replaces Worker.{getattr(method, 'name', '')}"
            yield self._found(method, Level.DIFFERS, what, why, "use hooks, services or telemetry")
        if not replaced:
            why = "arqlite's Worker has other insides"
            yield self._found(node, Level.CHECK, f"{node.name} is a Worker of its own", why, _BASES_FIX)

    def _texts(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node in self._prose:
            return
        if node.value.startswith(RAW_KEYS) or is_pattern_of_keys(node.value):
            why, fix = fix_of_key(node.value)
            yield self._found(node, Level.DIFFERS, f"the key {node.value!r} of arq", why, fix)
        elif node.value.startswith(("arq.worker.", "arq.connections.", "arq.jobs.", "arq.cron.")):
            why = "a path into arq, as for a patch: arqlite does not go there"
            fix = f"arqlite{node.value[3:]}, if it is public"
            yield self._found(node, Level.DIFFERS, f"the path {node.value!r}", why, fix)

    def _calls(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.Call):
            return
        called = _name_of(node.func)
        if called in QUEUE_COMMANDS and isinstance(node.func, ast.Attribute):
            yield from self._queue_commands(node, called)
        if called == "enqueue_job" and not self._facts.has_serializer:
            for place, level, what, why, fix in of_arguments(node):
                yield self._found(place, level, what, why, fix)
        if called == "enqueue_job" and {"_job_id", "_queue_name"} <= {word.arg for word in node.keywords}:
            why = "arq refuses an id that any queue has, arqlite one that the same queue has"
            fix = "give ids that must be unique over all queues to one queue"
            yield self._found(node, Level.CHECK, "an id of its own on a queue of its own", why, fix)

    def _queue_commands(self, node: ast.Call, called: str) -> Iterator[Finding]:
        for argument in node.args:
            name = argument.value if isinstance(argument, ast.Constant) else _name_of(argument)
            is_queue = isinstance(argument, ast.Constant) and name in self._facts.queues
            if is_queue or (self._is_of_arq and name == "default_queue_name"):
                why, fix = fix_of_key(default_queue_name)
                yield self._found(node, Level.DIFFERS, f"{called} on the queue {name!r}", why, fix)

    def _options(self, node: ast.AST) -> Iterator[Finding]:
        for name, value in _named_values(node):
            if name in _OPTIONS and (self._is_of_arq or isinstance(node, ast.ClassDef)):
                why, fix = _OPTIONS[name]
                yield self._found(value, Level.INFO, f"{name} is set", why, fix)

    def _returns(self, node: ast.AST) -> Iterator[Finding]:
        if isinstance(node, ast.AsyncFunctionDef) and not self._facts.has_serializer:
            for place, level, what, why, fix in of_return(node):
                yield self._found(place, level, what, why, fix)

    def _caught(self, node: ast.AST) -> Iterator[Finding]:
        if not isinstance(node, ast.Try) or not self._is_of_arq or not _awaits_result(node):
            return
        for handler in node.handlers:
            kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
            for kind in kinds:
                name = _name_of(kind)
                if name and not _is_known_error(name):
                    why = "a job's exception comes back as itself only if it is a built-in or registered one"
                    fix = f"call arqlite.register_exception({name}); else it comes as JobExecutionFailed"
                    yield self._found(handler, Level.CHECK, f"except {name} around a result", why, fix)


_RULES: tuple[_Rule, ...] = (
    PythonRules._imports,
    PythonRules._imported_names,
    PythonRules._attributes,
    PythonRules._classes,
    PythonRules._texts,
    PythonRules._calls,
    PythonRules._options,
    PythonRules._returns,
    PythonRules._caught,
)


def _modules_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module]
    return []


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Find what is set by name: keyword arguments, and attributes of a class."""
    if isinstance(node, ast.Call):
        yield from ((word.arg, word.value) for word in node.keywords if word.arg)
    elif isinstance(node, ast.ClassDef):
        for line in node.body:
            if isinstance(line, ast.Assign):
                yield from ((one.id, line.value) for one in line.targets if isinstance(one, ast.Name))
            elif isinstance(line, ast.AnnAssign) and line.value and isinstance(line.target, ast.Name):
                yield line.target.id, line.value


def _texts(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def _name_of(node: ast.AST | None) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _workers_of(node: ast.AST) -> Iterator[str]:
    """Find the names that stand for a worker: the class, and what is made or annotated as one."""
    yield "Worker"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        if _name_of(node.value.func) in _WORKER_MAKERS:
            yield from (name for target in node.targets if (name := _name_of(target)))
    elif isinstance(node, ast.arg) and _name_of(node.annotation) == "Worker":
        yield node.arg
    elif isinstance(node, ast.ClassDef) and any(_name_of(base) == "Worker" for base in node.bases):
        yield from ("self", node.name)


def _awaits_result(node: ast.Try) -> bool:
    return any(
        isinstance(inner, ast.Await)
        and isinstance(inner.value, ast.Call)
        and isinstance(inner.value.func, ast.Attribute)
        and inner.value.func.attr == "result"
        for line in node.body
        for inner in ast.walk(line)
    )


def _is_known_error(name: str) -> bool:
    return hasattr(builtins, name) or name == "CancelledError" or _is_there("arqlite.errors", name)


def _is_there(module: str, name: str) -> bool:
    try:
        return (
            hasattr(importlib.import_module(module), name)
            or importlib.util.find_spec(f"{module}.{name}") is not None
        )
    except ImportError:
        return False
