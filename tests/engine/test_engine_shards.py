"""Where a queue is in a cluster: its slot, the node that has it, and what a redirection means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import (
    AskError,
    AuthenticationError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite.engine.link import Elsewhere
from arqlite.engine.shards import ClusterMap, Shard, _Asking, cluster_map, slot_of
from arqlite.errors import ConfigurationError

HALVES = [[0, 8191, [b"n1", 7000, b"id1"], [b"n2", 7000, b"id2"]], [8192, 16383, [b"", 7001, b"id3"]]]


class Told(ClusterMap):
    """A map whose nodes always answer the same, and count how often they were asked."""

    def __init__(self, answer: Any) -> None:
        super().__init__([("seed", 6379)], {})
        self.answer = answer
        self.asked = 0

    async def _read(self, slot: int) -> Any:
        self.asked += 1
        self._learn(self.answer, "seed")
        return self._found(slot)


def test_slot_is_that_of_the_name() -> None:
    """The slot of a queue is the CRC16 of its name, as the specification's own example has it."""
    assert slot_of("123456789") == 0x31C3


async def test_map_is_read_once_until_it_is_forgotten() -> None:
    """Who has a slot is asked when nothing is known, and again when that is not so any more."""
    cluster = Told(HALVES)

    owners = [await cluster.owner(slot) for slot in (0, 8191, 8192, 16383)]
    cluster.forget()
    await cluster.owner(0)

    # A node that does not know its own address leaves it out: it is the one that was asked.
    assert owners == [("n1", 7000), ("n1", 7000), ("seed", 7001), ("seed", 7001)]
    assert cluster.asked == 2


async def test_nodes_tell_of_each_other() -> None:
    """Once heard of, all nodes are asked; those that are gone are not, but for those of the settings."""
    cluster = Told(HALVES)
    await cluster.owner(0)
    known = list(cluster._asked)
    cluster.forget()
    cluster.answer = HALVES[1:]
    await cluster.owner(9000)

    assert known == [("seed", 6379), ("n1", 7000), ("n2", 7000), ("seed", 7001)]
    assert cluster._asked == [("seed", 6379), ("seed", 7001)]


def test_node_that_keeps_others_waiting_is_asked_last() -> None:
    """A walk that is cut short goes on with the next node the next time, and who answers is asked first."""
    order = [("a", 1), ("b", 1), ("c", 1)]
    first = next(iter(_Asking(order)))
    second = next(iter(_Asking(order)))
    walk = _Asking(order)
    [third, _, _] = list(walk)
    walk.has_answered("b", 1)

    assert [first, second, third] == [("a", 1), ("b", 1), ("c", 1)]
    assert order[0] == ("b", 1)


@pytest.mark.parametrize(
    "error", [ResponseError("LOADING"), OSError("no route"), RedisConnectionError("gone")]
)
def test_what_is_wrong_with_the_last_node_is_told(error: Exception) -> None:
    """Where no node can tell, all that were asked are named, with what the last of them said."""
    walk = _Asking([("a", 1), ("b", 2)])
    for _ in walk:
        with walk.tried():
            raise error

    assert str(walk.failure(7)) == f"no node of the cluster answers (a:1, b:2); the last error: {error}"


def test_slot_that_nobody_has_is_told() -> None:
    """A cluster that lacks the node of a queue is told as that."""
    walk = _Asking([("a", 1)])
    for _ in walk:
        with walk.tried():
            pass

    assert "no node of the cluster (a:1) knows who has slot 9000" in str(walk.failure(9000))


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (NoPermissionError("no"), ConfigurationError, r"grant \+cluster\|slots"),
        (
            ResponseError("This instance has cluster support disabled"),
            ConfigurationError,
            "no node of a cluster",
        ),
        (AuthenticationError("WRONGPASS"), AuthenticationError, "WRONGPASS"),
    ],
)
def test_what_other_nodes_would_say_as_well_ends_the_walk(
    error: Exception, kind: type[Exception], told: str
) -> None:
    """A wrong password, a missing right and a server that is no node are told as what they are."""
    with pytest.raises(kind, match=told), _Asking([("a", 1)]).tried():
        raise error


async def test_each_master_is_told_once() -> None:
    """However many ranges of slots it has."""
    one, other = [b"n1", 7000, b"id1"], [b"n2", 7000, b"id2"]
    cluster = Told([[0, 100, one], [101, 8191, other], [8192, 16383, one]])

    assert await cluster.masters() == [("n1", 7000), ("n2", 7000)]


@pytest.mark.parametrize(
    "error",
    [AskError("42 n9:7000"), ClusterDownError("down"), TryAgainError("again"), MasterDownError("master")],
)
def test_cluster_that_is_about_to_settle_is_asked_again(error: Exception) -> None:
    """What a cluster answers while a slot moves or a master is elected is a lost connection."""
    with pytest.raises(Elsewhere), Shard(Told(HALVES), 42).followed():
        raise error


async def test_redirection_is_believed() -> None:
    """The node that a redirection names is newer than what another one tells."""
    cluster = Told(HALVES)
    await cluster.owner(42)
    with pytest.raises(Elsewhere, match="slot 42 is at another node"), Shard(cluster, 42).followed():
        raise MovedError("42 n9:7000")

    assert await cluster.owner(42) == ("n9", 7000)
    assert cluster.asked == 1


def test_silence_has_the_map_read_anew() -> None:
    """Who is cut off while it waits for a node asks for the slot before it waits again."""
    cluster = Told(HALVES)
    cluster._learn(HALVES, "seed")
    with pytest.raises(asyncio.CancelledError), Shard(cluster, 42).followed():
        raise asyncio.CancelledError

    assert cluster._owners == []


def test_redirection_of_another_slot_is_none_of_ours() -> None:
    """A key of another slot was asked for: who did has to go there."""
    cluster = Told(HALVES)
    cluster._learn(HALVES, "seed")
    with pytest.raises(MovedError), Shard(cluster, 7).followed():
        raise MovedError("42 n2:7000")

    assert cluster._owners != []


def test_demoted_master_is_left() -> None:
    """A node that has become a replica is not the one of the slot any more."""
    cluster = Told(HALVES)
    cluster._learn(HALVES, "seed")
    with pytest.raises(ReadOnlyError), Shard(cluster, 42).followed():
        raise ReadOnlyError("You can't write against a read only replica.")

    assert cluster._owners == []


def test_question_goes_by_the_same_way_as_all_else() -> None:
    """Nodes are asked with the same user, secrets and certificates, never for ever, and in no database."""
    told = {
        "db": 0, "username": "u", "password": "p", "ssl": True, "ssl_ca_certs": "/ca.pem",
        "socket_timeout": None, "max_connections": 7,
    }  # fmt: skip
    assert cluster_map([("n1", 1)], told).settings == {
        "username": "u", "password": "p", "ssl": True, "ssl_ca_certs": "/ca.pem", "socket_timeout": 1.0,
        "socket_connect_timeout": 1.0,
    }  # fmt: skip
