"""The verbs by which sessions join a queue and operators steer it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigurationError
from ..model.limits import disagreement
from .keys import Keys, latest_score
from .protocol import NOTHING_SETTLED, Change, Joined, Membership, Settled, Survey, SurveyedSession
from .scripts import Script, load

# What the queue's channel says: workers shall look at what was settled; a session of a paused queue has no
# job any more.
LOOK, IDLE = b"look", b"idle"


class Steering:
    """What a queue does for those who steer it, and for the sessions that listen to them."""

    client: Any
    keys: Keys
    _memberships: dict[str, Membership]
    _turn_keys: tuple[str, list[Any]] | None

    async def join(self, session: str, about: Membership) -> Joined:
        """See `Engine.join`."""
        self._memberships = {session: about}
        self._turn_keys = None
        args = {
            "sid": session,
            "control": self.keys.queue_channel,
            "declares": int(about.declares),
            "about": about.about,
            "overall": about.global_limit,
            "rate": about.rate_limit,
            **self._standpoint(session),
        }
        told, *facts = await self._call(load("join"), args)
        if not told:
            raise _disagreement(facts)
        now_ms, settled, global_limit, rate_limit = facts
        return Joined(now_ms, settled_of(settled), global_limit.decode(), rate_limit.decode())

    async def steer(self, changes: Sequence[Change]) -> int:
        """See `Engine.steer`."""
        rest = [part for change in changes for part in change]
        version, *parts = await self._call(load("steer"), {"control": self.keys.queue_channel}, rest)
        if parts:
            raise _disagreement(parts)
        return int(version)

    async def survey(self) -> Survey | None:
        """See `Engine.survey`."""
        told = await self._call(load("survey"), {})
        if not told:
            return None
        now_ms, settled, waiting, scheduled, used, *sessions = told
        texts = [text.decode() for text in settled]
        found = [
            SurveyedSession(
                session.decode(),
                int(deadline),
                about.decode(),
                sorted(job_id.decode(errors="backslashreplace") for job_id in running),
                vitals.decode(),
            )
            for session, deadline, about, running, vitals in sessions
        ]
        fields = dict(zip(texts[::2], texts[1::2], strict=True))
        return Survey(now_ms, fields, waiting, scheduled, used, found)

    async def due_within(self, ms: int) -> int:
        """See `Engine.due_within`."""
        seconds, micros = await self.client.time()
        until = latest_score(seconds * 1000 + micros // 1000 + ms)
        return int(await self.client.zcount(self.keys.sched, "-inf", until))

    def _standpoint(self, session: str) -> dict[str, Any]:
        """Tell from where a session looks at what is settled; one that has not joined is nowhere."""
        member = self._memberships.get(session)
        since = None if member is None else member.since
        return {"node": "" if member is None else member.node, "since": "" if since is None else since}

    async def _call(
        self,
        script: Script,
        args: dict[str, Any],
        rest: Sequence[Any] = (),
        keys: dict[str, str] | None = None,
    ) -> Any:
        raise NotImplementedError


def settled_of(told: Sequence[Any]) -> Settled:
    """Read what a script tells of what was settled; nothing told is nothing settled."""
    return Settled(*told) if told else NOTHING_SETTLED


def _disagreement(parts: Sequence[bytes]) -> ConfigurationError:
    return disagreement(*(json.loads(part) for part in parts))
