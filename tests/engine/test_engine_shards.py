"""Where a queue is in a cluster: its slot, the node that has it, and what a redirection means."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import AskError, MovedError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError

from arqlite.engine.shards import ClusterMap, Shard, cluster_map, slot_of

HALVES = [[0, 8191, [b"n1", 7000, b"id1"], [b"n2", 7000, b"id2"]], [8192, 16383, [b"", 7001, b"id3"]]]


class Told(ClusterMap):
    """A map whose nodes always answer the same, and count how often they were asked."""

    def __init__(self, answer: Any) -> None:
        super().__init__([("seed", 6379)], {})
        self.answer = answer
        self.asked = 0

    async def _read(self) -> None:
        self.asked += 1
        self._learn(self.answer, "seed")


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
    """Once heard of, all nodes are asked, and those of the settings after them."""
    cluster = Told(HALVES)
    await cluster.owner(0)

    assert list(cluster._asked()) == [("n1", 7000), ("n2", 7000), ("seed", 7001), ("seed", 6379)]


async def test_slot_that_nobody_has_is_told() -> None:
    """A cluster that lacks the node of a queue is an outage of that queue, and is asked again."""
    cluster = Told(HALVES[:1])
    with pytest.raises(RedisConnectionError, match="no node of the cluster has slot 9000"):
        await cluster.owner(9000)
    with pytest.raises(RedisConnectionError):
        await cluster.owner(9000)

    assert cluster.asked == 2


async def test_one_slot_of_each_master_reaches_all_keys() -> None:
    """Each master is told once, however many ranges it has."""
    one, other = [b"n1", 7000, b"id1"], [b"n2", 7000, b"id2"]
    cluster = Told([[0, 100, one], [101, 8191, other], [8192, 16383, one]])

    owners = [await cluster.owner(slot) for slot in await cluster.slots_of_masters()]

    assert sorted(owners) == [("n1", 7000), ("n2", 7000)]


@pytest.mark.parametrize("error", [MovedError("42 n2:7000"), AskError("42 n2:7000")])
def test_redirection_of_the_slot_is_a_lost_connection(error: AskError) -> None:
    """A slot that has moved is sought anew, by whoever handles lost connections."""
    cluster = Told(HALVES)
    cluster._learn(HALVES, "seed")
    with (
        pytest.raises(RedisConnectionError, match="slot 42 is at another node"),
        Shard(cluster, 42).followed(),
    ):
        raise error

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
        "username": "u", "password": "p", "ssl": True, "ssl_ca_certs": "/ca.pem", "socket_timeout": 5.0,
    }  # fmt: skip
