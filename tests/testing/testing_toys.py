"""Jobs for the tests of the testing kit: one that does as it is told, by arq's rules."""

from __future__ import annotations

import asyncio
from typing import Any

from arqlite import Cancel, Discard, Retry, Snooze, current_job, func, task


class Broken(Exception):
    pass


async def act(ctx: dict[str, Any], action: str = "ok", ref: int = 0, **more: Any) -> Any:
    ctx.get("done", []).append(ref)
    match action:
        case "raise":
            raise Broken(ref)
        case "retry":
            raise Retry(defer=60)
        case "hang":
            await asyncio.Event().wait()
        case "odd":
            return object()
        case "job":
            job = current_job()
            assert job is not None
            return [job.function, job.job_id, job.job_try, job.queue_name, job.worker]
        case "ctx":
            ctx["left"] = True
            return {name: value for name, value in ctx.items() if isinstance(value, str | int)}
        case "recur" if ref > 0:
            await ctx["redis"].enqueue(act, "recur", ref - 1)
    return [action, ref]


def plain(ctx: dict[str, Any], number: int) -> int:
    return number * 2


async def take(ctx: dict[str, Any], user: dict[str, Any], when: Any = None, *, note: str = "") -> None: ...


@task
async def oban(ctx: dict[str, Any], action: str = "ok", ref: int = 0) -> Any:
    """Do as told, by Oban's rules."""
    match action:
        case "snooze":
            return Snooze(60)
        case "cancel":
            return Cancel("not needed")
        case "discard":
            return Discard("hopeless")
        case "ask":
            return Retry(60)
        case "past":
            job = current_job()
            assert job is not None
            return [job.attempt, job.is_last_attempt, [error.message for error in job.errors]]
    return await act(ctx, action, ref)


brief = func(act, name="brief", timeout=0.01)
