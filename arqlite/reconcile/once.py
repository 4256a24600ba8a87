"""Rows and Redis compared in full on demand, beside whatever the workers do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .comparison import Comparison
from .repairs import Difference, Mended, Mender, counted

# So many differences are held in memory until they are looked at again.
_AT_ONCE = 10_000


async def reconcile_once(
    comparison: Comparison,
    mender: Mender | None,
    *,
    grace: float = 2.0,
    actor: str = "",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Mended:
    """Look at all open rows and at all jobs in Redis, and make them agree.

    What differs is looked at once more after a while, and counts if it does so still: most of it is under way.

    Args:
        comparison: finds what differs.
        mender: mends it; None only counts what would be mended.
        grace: seconds between the two looks.
        actor: who asked for it, for the audit.
        sleep: waits so many seconds.

    Returns:
        How many jobs were, or would be, mended.
    """
    total, held = Mended(), list[Difference]()

    async def confirm() -> None:
        if not held:
            return
        await sleep(grace)
        confirmed = await comparison.again(held)
        held.clear()
        for start in range(0, len(confirmed), 500):
            part = confirmed[start : start + 500]
            total.add(counted(part) if mender is None else await mender.mend(part, actor))

    async for found in comparison.all():
        held += found
        if len(held) >= _AT_ONCE:
            await confirm()
    await confirm()
    return total
