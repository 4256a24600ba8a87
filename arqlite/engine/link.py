"""How a script reaches the server: over a connection of its own, or over one borrowed from a pool.

redis-py's asyncio path packs arguments in Python, one by one. Scripts here carry hundreds of them,
so they are packed by hiredis where it is installed and sent as they are; replies take redis-py's way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, NoScriptError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from .scripts import Script

_pack: Callable[[tuple[Any, ...]], bytes] | None
try:
    from hiredis import pack_command
except ImportError:  # hiredis is an accelerator; redis-py packs as well
    _pack = None
else:
    _pack = cast("Callable[[tuple[Any, ...]], bytes]", pack_command)

# So long a cluster is left alone that is about to settle.
_SETTLING_S = 0.1
# A demoted or locked server goes on answering; what stands behind its name may be another one by now.
WRONG_SERVER = (ReadOnlyError, AuthenticationError)
_BROKEN = (RedisConnectionError, RedisTimeoutError, OSError, EOFError, *WRONG_SERVER)


class Elsewhere(RedisConnectionError):
    """The queue is at another node of its cluster, or will be somewhere in a moment."""


class Link:
    """One connection of its own, for calls that follow one another or that block.

    Args:
        client: whose connection settings to use.
        timeout: seconds after which an unanswered call raises `redis.exceptions.TimeoutError`.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._connection: AbstractConnection | None = None

    async def call(self, script: Script, arguments: Sequence[Any]) -> Any:
        """Run a script; loads it when the server does not know it."""
        try:
            return await self.command("EVALSHA", script.sha, *arguments)
        except NoScriptError:
            return await self.command("EVAL", script.source, *arguments)

    async def command(self, *parts: Any, timeout: float | None = None) -> Any:
        """Run any command. After a broken or overdue one the connection is new."""
        patience = timeout or self._timeout
        try:
            async with asyncio.timeout(patience):
                connection = await self._connected()
                return await exchange(connection, parts, patience)
        except TimeoutError as error:
            await self.close()
            raise RedisTimeoutError(f"no answer within {patience:0.1f}s") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        except _BROKEN:
            await self.close()
            raise

    async def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)

    async def _connected(self) -> AbstractConnection:
        if self._connection is None:
            pool = self._client.connection_pool
            connection = pool.make_connection()
            await connection.connect()
            self._connection = connection
        return self._connection


async def call_on_pool(client: Any, script: Script, arguments: Sequence[Any], timeout: float) -> Any:
    """Run a script over a connection of the client's pool.

    A pooled connection may have died since its last use, so a call that breaks is made once more; scripts
    are idempotent. A call without an answer is not: the server may be far away for long.

    Raises:
        redis.exceptions.TimeoutError: there was no answer within `timeout` seconds.
    """
    [reply] = await calls_on_pool(client, script, [arguments], timeout)
    return reply


async def calls_on_pool(
    client: Any, script: Script, calls: Sequence[Sequence[Any]], timeout: float
) -> list[Any]:
    """Run a script several times in one round trip over one connection; see `call_on_pool`.

    Raises:
        redis.exceptions.ResponseError: one of the calls was answered with an error.
    """
    async with _bounded(client, timeout):
        try:
            return await _on_pool(client, script, calls)
        except Elsewhere:
            return await _when_settled(client, script, calls)
        except _BROKEN:
            return await _on_pool(client, script, calls)


async def _when_settled(client: Any, script: Script, calls: Sequence[Sequence[Any]]) -> list[Any]:
    """Try until the cluster knows where the queue is; whoever asks has a time for all of it."""
    while True:
        try:
            return await _on_pool(client, script, calls)
        except Elsewhere:
            await asyncio.sleep(_SETTLING_S)


@contextlib.asynccontextmanager
async def _bounded(client: Any, timeout: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError as error:
        # What lies idle in the pool is as old as the connection that fell silent, and as deaf.
        await _drop_idle(client.connection_pool)
        raise RedisTimeoutError(f"no answer within {timeout:0.1f}s") from error


async def _drop_idle(pool: Any) -> None:
    with contextlib.suppress(RedisError, OSError):
        await pool.disconnect(inuse_connections=False)


async def _on_pool(client: Any, script: Script, calls: Sequence[Sequence[Any]]) -> list[Any]:
    pool = client.connection_pool
    try:
        connection = await pool.get_connection()
    except asyncio.CancelledError:
        # redis-py puts a connection back whose greeting was cut short, and the server's answer to that
        # would be taken for the answer to the next command.
        await _drop_idle(pool)
        raise
    try:
        return await _call(connection, script, calls)
    except (*_BROKEN, asyncio.CancelledError):
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)


async def _call(connection: AbstractConnection, script: Script, calls: Sequence[Sequence[Any]]) -> list[Any]:
    by_digest = [("EVALSHA", script.sha, *call) for call in calls]
    try:
        return await _exchange_all(connection, by_digest)
    except NoScriptError:  # the first call teaches it to the server, and the others follow on its heels
        return await _exchange_all(connection, [("EVAL", script.source, *calls[0]), *by_digest[1:]])


async def _exchange_all(connection: AbstractConnection, commands: Sequence[Sequence[Any]]) -> list[Any]:
    if len(commands) == 1:
        return [await exchange(connection, commands[0])]
    if _pack is None:
        for command in commands:
            await connection.send_command(*command)
    else:  # each sending for itself would cost as much as all the rest
        await connection.send_packed_command(b"".join([_pack(tuple(command)) for command in commands]))
    # The replies to the others must be read, too, or the next command would get them.
    replies = [await _reply_or_error(connection) for _ in commands]
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply
    return replies


async def _reply_or_error(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except WRONG_SERVER:
        raise
    except ResponseError as error:
        return error


async def exchange(connection: AbstractConnection, parts: Sequence[Any], timeout: float | None = None) -> Any:
    """Send one command and read its reply as bytes; error replies are raised.

    Args:
        connection: nobody else may use it meanwhile.
        parts: the command and its arguments: bytes, str, int or float.
        timeout: seconds to wait for the reply; None is the connection's own `socket_timeout`.
    """
    await _send(connection, parts)
    return await connection.read_response(disable_decoding=True, timeout=timeout)


async def _send(connection: AbstractConnection, parts: Sequence[Any]) -> None:
    if _pack is None:
        await connection.send_command(*parts)
    else:
        await connection.send_packed_command(_pack(tuple(parts)))
