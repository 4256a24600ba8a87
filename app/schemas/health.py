"""Health as the API tells it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    """One thing that was looked at."""

    ok: bool
    detail: str


class Health(BaseModel):
    """`ok`; `degraded` (jobs are taken, but a queue has no worker to run them); or `down`."""

    status: Literal["ok", "degraded", "down"]
    checks: dict[str, Check]
