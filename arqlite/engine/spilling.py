"""The verbs of the ledger's overflow: what recorders have no room for, while the database is slow or away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .keys import Keys
from .scripts import Script, load


class Spilling:
    """A part of `RedisEngine`."""

    keys: Keys

    async def spill(self, packets: Sequence[bytes], limit: int) -> int:
        """Keep packets behind those that are there. Returns how many of the oldest had to go."""
        return int(await self._call(load("spill"), {"limit": limit}, packets, {"spilled": self.keys.spilled}))

    async def scoop(self, reader: str, lease_ms: int, limit: int) -> list[tuple[bytes, bytes]]:
        """Look at the oldest packets, at most so many: id and bytes of each. They stay until `unspill`.

        Nobody else is handed any until the lease is over, which begins anew each time.
        """
        keys = {"spilled": self.keys.spilled, "scooper": self.keys.scooper}
        args = {"reader": reader, "lease_ms": lease_ms, "limit": limit}
        parts = await self._call(load("scoop"), args, keys=keys)
        return list(zip(parts[::2], parts[1::2], strict=True))

    async def unspill(self, ids: Sequence[bytes]) -> None:
        """Forget packets."""
        await self._call(load("unspill"), {}, ids, {"spilled": self.keys.spilled})

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError
