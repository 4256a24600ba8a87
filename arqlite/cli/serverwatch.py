"""`arqlite dev` looks after its embedded server: one that was killed is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..embedded import EmbeddedServer, status
from ..errors import EmbeddedServerError

LOOK_S = 1.0
"""Seconds between two looks whether the server answers."""


async def keep_alive(server: EmbeddedServer, say: Callable[[str], None], look: float = LOOK_S) -> None:
    """Start an embedded server again whenever it has ended, until this is cancelled.

    It comes back with its data, at the same address, and who is connected finds it by itself.

    Args:
        server: the server that is held; what takes its place is held, too, until the process ends.
        say: told once of each end, and once of each reason why there is no other server.
        look: seconds between two looks.
    """
    said = ""
    while True:
        await asyncio.sleep(look)
        if await asyncio.to_thread(status, server.data_dir) is not None:
            said = ""
            continue
        try:
            found = await asyncio.to_thread(EmbeddedServer.ensure, server.data_dir)
        except (EmbeddedServerError, OSError) as error:
            if str(error) != said:
                said = str(error)
                say(f"the embedded server does not answer, trying again: {said}")
            continue
        if found.pid != server.pid:  # else it was only busy
            say(f"{found.binary_kind} ended and was started again, with the data that it had on disk")
        server.release()
        server = found
