"""The script loader, and what every shipped script has to keep to."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import pytest

from arqlite.engine import Keys
from arqlite.engine.scripts import check_body, load, names, parse_contract
from arqlite.errors import ConfigurationError

LUA = files("arqlite.engine") / "lua"
HEAD = """\
-- move: put a job elsewhere.
--
-- KEYS     ready   zset  id -> score
--          sched   zset  id -> due
-- ARGV     id, ms
--          work*   what else
-- RETURNS  1
-- COST     O(1)
-- USES     clock
"""
BODY = "return redis.call('ZADD', ready, ms, id) + redis.call('ZREM', sched, ARGV[work])"


def text_of(name: str) -> str:
    return (LUA / f"{name}.lua").read_text(encoding="utf-8")


def parts() -> dict[str, str]:
    """The library parts, each with its text."""
    folder = LUA / "lib"
    return {
        entry.name[: -len(".lua")]: entry.read_text()
        for entry in folder.iterdir()
        if entry.name.endswith(".lua")
    }


def defined(text: str) -> set[str]:
    return set(re.findall(r"^local function (\w+)", text, re.MULTILINE))


def code_of(text: str) -> str:
    return re.sub(r"--.*", "", text)


def test_contract_is_read() -> None:
    """The head of a script names its purpose, keys, arguments, rest and parts."""
    contract = parse_contract("move", HEAD + BODY)

    assert contract.purpose == "put a job elsewhere."
    assert contract.keys == ("ready", "sched")
    assert (contract.args, contract.rest) == (("id", "ms"), "work")
    assert contract.uses == ("clock",)
    check_body("move", contract, BODY)


@pytest.mark.parametrize("section", ["KEYS", "ARGV", "RETURNS", "COST"])
def test_head_must_be_complete(section: str) -> None:
    """A head that leaves out one of its sections is refused by its name."""
    head = HEAD.replace(f"-- {section} ", "-- OTHER ")

    with pytest.raises(ConfigurationError, match=f"must tell its {section}"):
        parse_contract("move", head)


@pytest.mark.parametrize("text", ["", "return 1", "-- shift: another name.", "-- just a comment"])
def test_head_must_name_the_script(text: str) -> None:
    """A script that does not begin with its own name and purpose is refused."""
    with pytest.raises(ConfigurationError, match="must begin with"):
        parse_contract("move", text)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (BODY.replace("ready", "KEYS[1]"), "by name, not by KEYS"),
        (BODY.replace("ready", "KEYS [1]"), "by name, not by KEYS"),
        (BODY.replace("ms", "ARGV[2]"), "by name, not by ARGV"),
        (BODY.replace("sched", "ready"), "names sched at its head and never uses it"),
        (BODY.replace("ms", "5"), "names ms at its head and never uses it"),
        (BODY.replace("ARGV[work]", "id"), "names work at its head and never uses it"),
    ],
)
def test_body_that_breaks_its_head_is_refused(body: str, complaint: str) -> None:
    """A body that counts positions itself, or leaves a promised name unused, does not load."""
    with pytest.raises(ConfigurationError, match=complaint):
        check_body("move", parse_contract("move", HEAD + body), body)


def test_arguments_past_the_contract_are_refused() -> None:
    """A body that reads more arguments than its head names does not load."""
    head = HEAD.replace("--          work*   what else\n", "")

    with pytest.raises(ConfigurationError, match=re.escape("names no group of arguments")):
        check_body("move", parse_contract("move", head), BODY)


@pytest.mark.parametrize("name", names())
def test_shipped_script_keeps_its_contract(name: str) -> None:
    """Every script of the package loads, and is called by the digest of what is sent."""
    script = load(name)

    assert script.sha == hashlib.sha1(script.source.encode(), usedforsecurity=False).hexdigest()
    for place, key in enumerate(script.contract.keys, 1):
        assert f"local {key} = KEYS[{place}]" in script.source


def called_in(code: str) -> set[str]:
    """Name the library parts whose functions this code calls."""
    return {
        part
        for part, text in parts().items()
        if any(re.search(rf"(?<!function )\b{f}\(", code) for f in defined(text))
    }


@pytest.mark.parametrize("name", names())
def test_shipped_script_uses_what_it_names(name: str) -> None:
    """A script names exactly the library parts that it, or a part it names, calls."""
    contract, available = parse_contract(name, text_of(name)), parts()
    own = code_of(text_of(name))
    theirs = "\n".join([own, *(code_of(available[part]) for part in contract.uses)])

    assert called_in(own) <= set(contract.uses) <= called_in(theirs)


@pytest.mark.parametrize("name", names())
def test_shipped_script_runs_everywhere(name: str) -> None:
    """No script uses what fakeredis lacks, what a cluster forbids, or a clock that is not the server's."""
    code = code_of(load(name).source)

    assert re.findall(r"\b(?:cmsgpack|struct|bit|os|io|redis\.setresp|require|loadstring)\b[.(]", code) == []
    assert "aq:" not in code
    assert not re.search(r"\bKEYS'|'(?:SCAN|FLUSHALL|FLUSHDB|EVAL)'", code)


@pytest.mark.parametrize("name", names())
def test_shipped_script_leaks_no_globals(name: str) -> None:
    """Every name that a script sets is local: a global would be an error on the server."""
    code = code_of(load(name).source)
    declared = {
        word
        for found in re.findall(r"\b(?:local(?: function)?|for)\s+([\w, ]+)", code)
        for word in re.findall(r"\w+", found)
    } | {word for found in re.findall(r"function \w*\(([^)]*)\)", code) for word in re.findall(r"\w+", found)}

    assigned = set(re.findall(r"^\s*(\w+)(?:, \w+)* = ", code, re.MULTILINE))

    assert assigned <= declared


def test_call_is_laid_out_by_name() -> None:
    """Keys and arguments are given by name, in any order, and sent in the order of the head."""
    script = load("beat")
    keys = {"inbox": "I", "live": "L", "meta": "M", "vitals": "V", "jobs": "unused"}

    assert script.arguments(keys, {"lease_ms": 5, "told": "", "sid": "s"}, ["a", "b"]) == [
        4,
        "L",
        "I",
        "M",
        "V",
        "s",
        5,
        "",
        "a",
        "b",
    ]


def test_missing_key_or_argument_is_an_error() -> None:
    """A call that leaves something out fails here and not in Redis."""
    with pytest.raises(KeyError, match="inbox"):
        load("beat").arguments({"live": "L"}, {"lease_ms": 5, "sid": "s", "told": ""})
    with pytest.raises(KeyError, match="sid"):
        load("beat").arguments({"live": "L", "inbox": "I", "meta": "M", "vitals": "V"}, {"lease_ms": 5})


def test_every_key_of_a_script_is_a_key_of_the_queue() -> None:
    """What scripts call their keys is what `Keys` calls them."""
    keys = Keys("q")

    for name in names():
        assert [key for key in load(name).contract.keys if not hasattr(keys, key)] == []
