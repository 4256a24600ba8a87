"""What a user of Redis may not do, and would have to.

Each command is told to the server inside of a transaction that is thrown away: a server checks the rights of
a command when it is queued, and what is discarded never runs. No right is needed to find out about rights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from ..connections import ArqRedis
from ..engine import Keys
from ..engine.keys import PREFIX
from ..engine.shards import client_of

NEEDED: dict[str, tuple[Any, ...]] = {
    "blpop": ("K", 1), "del": ("K",), "eval": ("return 1", 1, "K"), "evalsha": ("0" * 40, 1, "K"),
    "exists": ("K",), "get": ("K",), "hdel": ("K", "f"), "hexists": ("K", "f"), "hget": ("K", "f"),
    "hgetall": ("K",), "hincrby": ("K", "f", 1), "hkeys": ("K",), "hlen": ("K",), "hmget": ("K", "f"),
    "hscan": ("K", 0), "hset": ("K", "f", "v"), "hsetnx": ("K", "f", "v"), "info": (), "lindex": ("K", 0),
    "llen": ("K",), "lpop": ("K",), "lpush": ("K", "v"), "lrange": ("K", 0, 0), "lset": ("K", 0, "v"),
    "ltrim": ("K", 0, 0), "persist": ("K",), "pexpire": ("K", 1), "ping": (), "psetex": ("K", 1, "v"),
    "publish": ("C", "v"), "rpop": ("K",), "rpush": ("K", "v"), "sadd": ("K", "v"), "scan": (0,),
    "scard": ("K",), "set": ("K", "v"), "sismember": ("K", "v"), "smembers": ("K",),
    "smismember": ("K", "v"), "spop": ("K",), "srem": ("K", "v"), "subscribe": ("C",), "time": (),
    "unsubscribe": ("C",), "xadd": ("K", "*", "f", "v"), "xdel": ("K", "0-1"), "xrange": ("K", "-", "+"),
    "xtrim": ("K", "MAXLEN", 0), "zadd": ("K", 0, "v"), "zcard": ("K",), "zcount": ("K", 0, 0),
    "zmscore": ("K", "v"), "zrange": ("K", 0, 0), "zrangebyscore": ("K", 0, 0), "zrem": ("K", "v"),
    "zremrangebyrank": ("K", 0, 0), "zremrangebyscore": ("K", 0, 0), "zscore": ("K", "v"),
    "zunionstore": ("K", 1, "K"),
}  # fmt: skip
"""Every command that is used, with arguments: `K` stands for a key of a queue, `C` for a channel."""


async def missing_rights(pool: ArqRedis, queue: str) -> list[str]:
    """Name what is missing, as an access list would grant it: `+info`, `~aq:*`, `&aq:*`.

    Nothing is changed. Of a user who may not even begin or end a transaction only that is told.
    """
    keys = Keys(queue, pool.connection_pool.connection_kwargs.get("db") or 0)
    names = {"K": keys.base + "checkup", "C": keys.finished_channel}
    redis_pool: Any = client_of(pool, queue).connection_pool  # redis-py leaves some of it unannotated
    connection = await redis_pool.get_connection()
    is_clean = False
    try:
        # Before anything else is sent, for without a transaction it would be done.
        if missing := await _refusals(connection, [("MULTI",)]):
            return missing
        refused = await _refusals(connection, [*_commands(names), ("PSETEX", keys.health, 1, "v")])
        missing = await _refusals(connection, [("DISCARD",)])
        if not missing:
            refused += await _refusals(connection, [("MULTI",), ("EXEC",)])  # of nothing
        is_clean = not missing and "+exec" not in refused
    finally:
        # Nobody else must get a connection on which a transaction is open; without it, it is discarded.
        if not is_clean:
            await connection.disconnect(nowait=True)
        await redis_pool.release(connection)
    return missing or sorted(set(refused))


def right_in(refusal: str, command: Sequence[Any]) -> str:
    """Tell which right a server missed when it refused a command."""
    name = str(command[0]).lower()
    if "channel" in refusal:
        return f"&{PREFIX}*"
    if " key" in refusal:
        is_ours = any(str(part).startswith(PREFIX) for part in command)
        return f"~{PREFIX}*" if is_ours else f"~{command[1]}"
    return f"+{name}"


def _commands(names: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    for command, arguments in NEEDED.items():
        yield (command.upper(), *(names.get(one, one) for one in arguments))


async def _refusals(connection: Any, commands: Sequence[Sequence[Any]]) -> list[str]:
    """Send commands in one round trip; tells which rights were missed."""
    for command in commands:
        await connection.send_command(*command)
    refusals = [await _refusal(connection, command) for command in commands]
    return [right for right in refusals if right]


async def _refusal(connection: Any, command: Sequence[Any]) -> str:
    """Read the reply to a command; tells the right that was missed, if one was."""
    try:
        await connection.read_response(disable_decoding=True)
    except NoPermissionError as error:
        return right_in(str(error), command)
    except ResponseError as error:
        # A refused EXEC is told as a transaction that was discarded; a server that lacks a command, or does
        # not have it in a transaction, says nothing of rights.
        return right_in(str(error), command) if "no permissions" in str(error).lower() else ""
    return ""
