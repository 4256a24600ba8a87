"""What everything stands on: servers, ledgers, leaders, and what the checkup says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .checkup import all_troubles
from .databases import ledger_facts
from .links import Links
from .queuefacts import queue_facts
from .servers import server_facts
from .views import SystemInfo, Trouble


async def system(links: Links, *, production: bool = False) -> SystemInfo:
    """Look at everything thoroughly.

    Args:
        links: leads to the queues and ledgers.
        production: also say what is fine for development only.
    """
    queues, servers = await asyncio.gather(
        queue_facts(links, thorough=True), server_facts(links, thorough=True)
    )
    ledgers = await ledger_facts(links, {one.state.key: one.lag for one in queues})
    leaders = {
        one.state.key: worker.session for one in queues for worker in one.state.workers if worker.leads
    }
    return SystemInfo(
        servers=list({one.info.server: one.info for one in servers}.values()),
        ledgers=[one.info for one in ledgers],
        leaders=leaders,
        troubles=all_troubles(queues, servers, ledgers, production=production),
    )


async def troubles(links: Links, *, production: bool = False) -> Sequence[Trouble]:
    """What an operator should know now, the worst first."""
    return (await system(links, production=production)).troubles
