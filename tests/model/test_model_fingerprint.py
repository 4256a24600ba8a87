"""What two jobs have in common: the same fingerprint exactly where a rule says that they are the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from arqlite import Unique, call
from arqlite.errors import ConfigurationError, SerializationError
from arqlite.model.calls import Call
from arqlite.model.fingerprint import fingerprint

ANY = Unique()
KEYED = Unique(keys=["user_id"])
NESTED = Unique(keys=["user.id"])
OF_FUNCTION = Unique(fields=["worker"])
OF_META = Unique(fields=["meta"], keys=["slug"])
OF_BOTH = Unique(fields=["args", "meta", "function"])


async def send(ctx: dict[Any, Any], user_id: int, text: str = "hi", *rest: int, **more: Any) -> None: ...
async def other(ctx: dict[Any, Any], user_id: int) -> None: ...


@dataclass
class User:
    id: int
    name: str


def digest(unique: Unique, made: Call[Any], meta: dict[str, Any] | None = None) -> str:
    return fingerprint(unique, made.function, made.args, made.kwargs, meta or {}, made.signature)


def job(**kwargs: Any) -> Call[Any]:
    return call("send", **kwargs)


@pytest.mark.parametrize(
    ("unique", "one", "two"),
    [
        (ANY, call(send, 1, "x"), call(send, user_id=1, text="x")),
        (ANY, call(send, 1, "x"), call(send, 1, text="x")),
        (ANY, call(send, 1, "x"), call("send", text="x", user_id=1)),
        (ANY, call(send, 1, "x", 7, z=1), call(send, 1, "x", 7, z=1)),
        (ANY, call("send", 1, 2), call("send", 1, 2)),
        (ANY, job(), job()),
        (ANY, job(a={"x": 1, "y": 2}), job(a={"y": 2, "x": 1})),
        (ANY, job(a=(1, 2)), job(a=[1, 2])),
        (ANY, job(a={"b", "a"}), job(a={"a", "b"})),
        (ANY, job(a=UUID(int=3)), job(a=str(UUID(int=3)))),
        (ANY, job(a=Decimal("1.20")), job(a="1.20")),
        (ANY, job(a=datetime(2026, 1, 2, tzinfo=UTC)), job(a="2026-01-02T00:00:00Z")),
        (ANY, job(a=User(1, "x")), job(a={"id": 1, "name": "x"})),
        (ANY, job(a={1: 2}), job(a={"1": 2})),
        (KEYED, job(user_id=1, xd=1), job(user_id=1, xd=3)),
        (KEYED, call(send, 1, "x"), job(user_id=1)),
        (KEYED, job(xd=1), job()),
        (NESTED, job(user={"id": 1, "a": 1}), job(user={"id": 1, "a": 2})),
        (NESTED, job(user=User(1, "x")), job(user={"id": 1})),
        (NESTED, job(**{"user.id": 1}), job(user={"id": 1})),
        (NESTED, job(user=5), job()),
        (OF_FUNCTION, job(a=1), job(a=2)),
    ],
)
def test_same(unique: Unique, one: Call[Any], two: Call[Any]) -> None:
    """These are the same job."""
    assert digest(unique, one) == digest(unique, two)


@pytest.mark.parametrize(
    ("unique", "one", "two"),
    [
        (ANY, job(id=1), job(id=1, extra="x")),
        (ANY, job(id=1), job(id=2)),
        (ANY, job(id=1), job()),
        (ANY, job(id=1), job(id="1")),
        (ANY, job(id=1), job(id=True)),
        (ANY, job(id=None), job()),
        (ANY, call(send, 1), call(other, 1)),
        (ANY, call(send, 1), call(send, 1, "hi")),
        (ANY, call("send", 1), call("send", 2)),
        (ANY, job(a=[1, 2]), job(a=[2, 1])),
        (KEYED, job(user_id=1), job(user_id=2)),
        (KEYED, job(user_id=1), job()),
        (KEYED, job(user_id=None), job()),
        (Unique(keys=["user_id", "xd"]), job(user_id=1, xd=1), job(user_id=1, xd=2)),
        (NESTED, job(user={"id": 1}), job(user={"id": 2})),
        (OF_FUNCTION, call(send, 1), call(other, 1)),
    ],
)
def test_not_the_same(unique: Unique, one: Call[Any], two: Call[Any]) -> None:
    """These are not, in either order."""
    assert digest(unique, one) != digest(unique, two)


def test_meta() -> None:
    """Meta is compared where the rule says so, and arguments are not where it does not."""
    assert digest(OF_META, call(send, 1), {"slug": "a"}) == digest(
        OF_META, call(other, 2), {"slug": "a", "x": 1}
    )
    assert digest(OF_META, call(send, 1), {"slug": "a"}) != digest(OF_META, call(send, 1), {"slug": "b"})
    assert digest(OF_BOTH, call(send, 1), {"slug": "a"}) != digest(OF_BOTH, call(send, 1), {"slug": "b"})
    assert digest(ANY, call(send, 1), {"slug": "a"}) == digest(ANY, call(send, 1))


def test_another_rule_is_another_job() -> None:
    """Jobs that are told apart by different keys are not compared with each other."""
    assert digest(KEYED, job(user_id=1)) != digest(ANY, job(user_id=1))


def test_keys_need_names() -> None:
    """By a bare name nobody knows what positional arguments are called."""
    with pytest.raises(
        ConfigurationError, match=r"need arguments with names; call send with keyword arguments"
    ):
        digest(KEYED, call("send", 1))


async def charge(ctx: dict[Any, Any], account: int, user: Any = None) -> None: ...


@pytest.mark.parametrize(
    ("unique", "text"),
    [
        (Unique(keys=["acount"]), r"charge has no argument 'acount', so .* did you mean 'account'\?"),
        (Unique(keys=["args.acount"]), r"no argument 'acount', .* did you mean 'account'\?"),
        (Unique(keys=["acount"], fields=["args", "meta"]), "did you mean 'account'"),
        (Unique(keys=["zip"]), "no argument 'zip', .* it has account, user"),
        (Unique(keys=["meta.slug"]), "to compare meta, name it among the fields"),
        (Unique(keys=["account.id"]), "'account.id' leads nowhere, .* there is no 'id' in int 7"),
        (Unique(keys=["user.id.x"]), "leads nowhere, .* there is no 'x' in int 1"),
    ],
)
def test_keys_that_name_nothing(unique: Unique, text: str) -> None:
    """A key that the function has no argument for would make all its jobs the same one: it is refused."""
    with pytest.raises(ConfigurationError, match=text):
        digest(unique, call(charge, 7, User(1, "x")))


def test_keys_with_the_word_that_partitions_have() -> None:
    """`args.account` is `account`, and `meta.slug` is `slug`, as in `partition_by`."""
    by_args = Unique(keys=["args.account"])
    assert digest(by_args, call(charge, 7)) != digest(by_args, call(charge, 8))
    assert digest(by_args, call(charge, 7)) == digest(by_args, call("charge", account=7))
    nested = Unique(keys=["args.user.id"])
    assert digest(nested, call(charge, 7, User(1, "x"))) != digest(nested, call(charge, 7, User(2, "x")))
    by_meta = Unique(keys=["meta.slug"], fields=["meta"])
    assert digest(by_meta, call(charge, 7), {"slug": "a"}) != digest(by_meta, call(charge, 7), {"slug": "b"})
    both = Unique(keys=["account", "slug"], fields=["args", "meta"])
    assert digest(both, call(charge, 7)) != digest(both, call(charge, 7), {"slug": "a"})


def test_keys_of_a_function_that_takes_any_name() -> None:
    """Where a call may give any name, none can be wrong."""
    rule = Unique(keys=["colour"])
    assert digest(rule, call(send, 1, colour=2)) != digest(rule, call(send, 1, colour=3))


def test_what_json_cannot_write() -> None:
    """A value that has no JSON cannot be compared, and the error says of which function."""
    with pytest.raises(
        SerializationError, match="a unique job of send is told by what JSON would write of it"
    ):
        digest(ANY, job(a=object()))


def test_the_same_in_every_process() -> None:
    """Two processes agree, whatever seed their hashes have."""
    program = (
        "from arqlite import Unique; from arqlite.model.fingerprint import fingerprint;"
        "print(fingerprint(Unique(), 'f', (), {'a': {'x', 'y', 'z'}, 'b': {'k': 1, 'j': 2}}, {}, None))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(told) == 1
