"""A real cluster on loopback: some masters that share the slots, and a replica of each that is wanted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from chaos_server import ChaosServer, free_port

SLOTS = 16_384
_FORM_S = 30.0


class Node(ChaosServer):
    """One node of a cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.bus = free_port()

    def ask(self, *command: Any) -> Any:
        """Send it a command."""
        with redis.Redis(port=self.port, socket_timeout=5.0) as client:
            return client.execute_command(*command)

    @property
    def name(self) -> str:
        """What the cluster calls it."""
        return str(self.ask("CLUSTER MYID").decode())

    def _options(self) -> list[str]:
        return [
            *super()._options(), "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
            "--cluster-node-timeout", "4000", "--cluster-port", str(self.bus),
            "--cluster-replica-validity-factor", "0",
            "--repl-diskless-sync-delay", "0",
        ]  # fmt: skip


class Cluster:
    """Masters, and a replica for some of them.

    Args:
        folder: where their data goes.
        masters: how many there are.
    """

    def __init__(self, folder: Path, masters: int = 3) -> None:
        self.folder = folder
        self.masters = [Node(folder / f"node-{number}") for number in range(masters)]
        self.replicas: list[Node] = []

    @property
    def nodes(self) -> list[Node]:
        """All of them."""
        return [*self.masters, *self.replicas]

    def url(self) -> str:
        """Where it is, by two of its nodes."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.masters[:2])

    def start(self) -> None:
        """Start the masters, share the slots among them, and wait until all of them agree."""
        share = -(-SLOTS // len(self.masters))
        for number, node in enumerate(self.masters):
            node.start()
            node.ask("CLUSTER ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)
            node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in self.masters[1:]:
            self._meet(node)
        self._settle()

    def add_replica(self, master: Node) -> Node:
        """Give a master a replica, and wait until it has everything."""
        replica = Node(self.folder / f"replica-{len(self.replicas)}")
        replica.start()
        self.replicas.append(replica)
        self._meet(replica)
        _until(lambda: master.name in str(replica.ask("CLUSTER NODES")), "they know each other")
        replica.ask("CLUSTER REPLICATE", master.name)
        _until(
            lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "the replica is linked"
        )
        self._settle()
        return replica

    def owner_of(self, slot: int) -> Node:
        """The master that has a slot."""
        for first, last, (_, port, *_), *_ in self._alive().ask("CLUSTER SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(slot)

    def begin_to_move(self, slot: int, to: Node) -> Node:
        """Have two masters expect that a slot goes from one to the other; tells from which."""
        origin = self.owner_of(slot)
        to.ask("CLUSTER SETSLOT", slot, "IMPORTING", origin.name)
        origin.ask("CLUSTER SETSLOT", slot, "MIGRATING", to.name)
        return origin

    def move(self, slot: int, to: Node) -> None:
        """Move a slot with its keys to another master."""
        self.finish_move(slot, self.begin_to_move(slot, to), to)

    def finish_move(self, slot: int, origin: Node, to: Node) -> None:
        """Move the keys, and have both masters know it."""
        while keys := origin.ask("CLUSTER GETKEYSINSLOT", slot, 100):
            origin.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "REPLACE", "KEYS", *keys)
        for node in (to, origin):
            node.ask("CLUSTER SETSLOT", slot, "NODE", to.name)

    def kill(self, node: Node) -> float:
        """End a node with SIGKILL, and return when, on the monotonic clock."""
        at = time.monotonic()
        node.kill()
        return at

    def freeze(self, node: Node) -> None:
        """Have a node accept connections and say nothing."""
        os.kill(node.pid, signal.SIGSTOP)

    def thaw(self, node: Node) -> None:
        """Have a frozen node go on."""
        os.kill(node.pid, signal.SIGCONT)

    def wait_until_replicated(self, master: Node) -> None:
        """Wait until all replicas have what their master has written so far."""
        replicas = len(self.replicas)
        assert master.ask("WAIT", replicas, int(_FORM_S * 1000)) == replicas

    def stop(self) -> None:
        """End all of them."""
        for node in self.nodes:
            node.stop()

    def _meet(self, node: Node) -> None:
        first = self.masters[0]
        node.ask("CLUSTER MEET", "127.0.0.1", first.port, first.bus)

    def _settle(self) -> None:
        def is_whole() -> bool:
            infos = [node.ask("CLUSTER INFO") for node in self.nodes]
            return all(
                told["cluster_state"] == "ok"
                and int(told["cluster_slots_ok"]) == SLOTS
                and int(told["cluster_known_nodes"]) == len(self.nodes)
                for told in infos
            )

        _until(is_whole, "the cluster is whole")

    def _alive(self) -> Node:
        return next(node for node in self.nodes if node.is_up)


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _FORM_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {_FORM_S} s: {what}"
        time.sleep(0.02)
