"""The verbs of services that belong to a queue as a whole: who leads, and which cron jobs there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .keys import Keys
from .protocol import CronKnown, Crons
from .scripts import Script, load


class Duties:
    """A part of `RedisEngine`."""

    client: Any
    keys: Keys

    async def lead(self, session: str, *, runs: bool = True) -> bool:
        """See `Engine.lead`."""
        args = {"sid": session, "runs": int(runs), "channel": self.keys.leader_channel}
        return bool(await self._call(load("lead"), args, keys={"leader": self.keys.leader}))

    async def leader(self) -> str | None:
        """See `Engine.leader`."""
        session = await self._call(load("leader"), {}, keys={"leader": self.keys.leader})
        return session.decode() or None

    async def publish_crons(self, known: Mapping[str, bytes], keep_ms: int) -> None:
        """See `Engine.publish_crons`."""
        rest = [part for pair in known.items() for part in pair]
        await self._call(load("publish"), {"keep_ms": keep_ms}, rest, {"crons": self.keys.crons})

    async def crons(self) -> Crons:
        """See `Engine.crons`."""
        keys = {"crons": self.keys.crons, "cronctl": self.keys.cronctl}
        now_ms, paused, *facts = await self._call(load("crons"), {}, keys=keys)
        known = [CronKnown(facts[i], int(facts[i + 1])) for i in range(0, len(facts), 2)]
        return Crons(int(now_ms), frozenset(name.decode() for name in paused), known)

    async def count_crons(self) -> int:
        """Count the cron jobs that workers told of; O(1)."""
        return int(await self.client.hlen(self.keys.crons))

    async def switch_cron(self, name: str, *, pauses: bool) -> bool:
        """See `Engine.switch_cron`."""
        args = {"name": name, "pauses": int(pauses)}
        return bool(await self._call(load("switch"), args, keys={"cronctl": self.keys.cronctl}))

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError
