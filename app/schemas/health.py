"""Health as the API tells it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Check(BaseModel):
    """One thing that was looked at."""

    ok: bool
    detail: str


class Health(BaseModel):
    """`ok`, `degraded` or `down`.

    Degraded is: jobs are taken, but a queue has no worker to run them, or its rows are a minute behind.
    """

    status: Literal["ok", "degraded", "down"]
    checks: dict[str, Check]
