"""The Lua scripts: read, held to the contract at their head, and called by named keys and arguments.

The head of a script names its KEYS and ARGV. The loader turns those names into locals, so the body
never counts positions, and a body that reaches past its contract does not load. A last argument
marked with `*` stands for all that follow; its local is the position of the first of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import ConfigurationError

_SECTIONS = ("KEYS", "ARGV", "RETURNS", "COST", "USES")
_HEAD_LINE = re.compile(r"^--( (?P<section>[A-Z]+)\s)?(?P<text>.*)$")


@dataclass(frozen=True, slots=True)
class Contract:
    """What the head of a script promises.

    Attributes:
        purpose: the first line, after the script's name.
        keys: the names of its keys, in order.
        args: the names of its plain arguments, in order.
        rest: the name of the group that follows them, None when there is none.
        uses: the library parts it is built from.
    """

    purpose: str
    keys: tuple[str, ...]
    args: tuple[str, ...]
    rest: str | None
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One transition, ready to be sent.

    Attributes:
        name: the file it came from, without its ending.
        contract: its head, read.
        source: what the server runs.
        sha: the digest that EVALSHA knows it by.
    """

    name: str
    contract: Contract
    source: str
    sha: str

    def arguments(self, keys: dict[str, str], args: dict[str, Any], rest: Sequence[Any] = ()) -> list[Any]:
        """Lay out a call as EVALSHA wants it after the digest: number of keys, keys, arguments."""
        contract = self.contract
        call: list[Any] = [len(contract.keys)]
        call += [keys[name] for name in contract.keys]
        call += [args[name] for name in contract.args]
        call += rest
        return call


@cache
def load(name: str, package: str = "arqlite.engine") -> Script:
    """Read a script from the `lua` folder of a package; the library parts are always the engine's.

    Raises:
        ConfigurationError: its body does not keep to its head.
    """
    text = _read(f"{name}.lua", package)
    contract = parse_contract(name, text)
    parts = [_read(f"lib/{part}.lua") for part in contract.uses]
    body = _without_head(text)
    check_body(name, contract, body)
    source = "\n".join([_prelude(contract), *parts, body])
    return Script(name, contract, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def names() -> list[str]:
    """Name every script of the package."""
    folder = files("arqlite.engine") / "lua"
    return sorted(entry.name[: -len(".lua")] for entry in folder.iterdir() if entry.name.endswith(".lua"))


def parse_contract(name: str, text: str) -> Contract:
    """Read the comment at the head of a script."""
    lines = _head(text)
    if not lines or not lines[0].startswith(f"-- {name}: "):
        raise ConfigurationError(f"{name}.lua must begin with '-- {name}: <purpose>'")
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines[1:]:
        match = _HEAD_LINE.match(line)
        section = match and match["section"]
        if section in _SECTIONS:
            current = sections.setdefault(section, [])
        current.append(match["text"].strip() if match else "")
    for required in ("KEYS", "ARGV", "RETURNS", "COST"):
        if required not in sections:
            raise ConfigurationError(f"{name}.lua must tell its {required} at its head")
    keys = tuple(line.split()[0] for line in sections["KEYS"] if _names_something(line))
    args, rest = _argument_names(sections["ARGV"])
    uses = tuple(" ".join(sections.get("USES", [])).split())
    return Contract(lines[0].split(": ", 1)[1], keys, args, rest, uses)


def check_body(name: str, contract: Contract, body: str) -> None:
    """Refuse a body that counts positions itself, or never uses what its head names."""
    if re.search(r"\bKEYS\s*\[", body):
        raise ConfigurationError(f"{name}.lua must call its keys by name, not by KEYS[n]")
    if re.search(r"\bARGV\s*\[\s*\d", body):
        raise ConfigurationError(f"{name}.lua must call its arguments by name, not by ARGV[n]")
    if "ARGV" in body and contract.rest is None:
        raise ConfigurationError(f"{name}.lua reads ARGV, but its head names no group of arguments (name*)")
    for word in (*contract.keys, *contract.args, *([contract.rest] if contract.rest else [])):
        if not re.search(rf"\b{word}\b", body):
            raise ConfigurationError(f"{name}.lua names {word} at its head and never uses it")


def _argument_names(lines: list[str]) -> tuple[tuple[str, ...], str | None]:
    """Take `base, sid, want` and `work*   what it means` apart; a line that goes on explains."""
    args: list[str] = []
    rest: str | None = None
    for line in lines:
        words = re.match(r"^((?:[a-z_]+\*?)(?:,\s*[a-z_]+\*?)*)(?:\s{2,}.*)?$", line)
        if words is None:
            continue
        for word in re.split(r",\s*", words[1]):
            if word.endswith("*"):
                rest = word[:-1]
            else:
                args.append(word)
    return tuple(args), rest


def _names_something(line: str) -> bool:
    return bool(re.match(r"^[a-z_]+\s{2,}", line))


def _prelude(contract: Contract) -> str:
    lines = [f"local {key} = KEYS[{place}]" for place, key in enumerate(contract.keys, 1)]
    lines += [f"local {arg} = ARGV[{place}]" for place, arg in enumerate(contract.args, 1)]
    if contract.rest:
        lines.append(f"local {contract.rest} = {len(contract.args) + 1}")
    return "\n".join(lines)


def _head(text: str) -> list[str]:
    lines = text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("--")), len(lines))
    return lines[:end]


def _without_head(text: str) -> str:
    return "\n".join(text.splitlines()[len(_head(text)) :])


def _read(path: str, package: str = "arqlite.engine") -> str:
    return (files(package) / "lua" / path).read_text(encoding="utf-8")
