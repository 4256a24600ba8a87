"""Health: for people, load balancers and monitors."""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from app.schemas.health import Health
from app.services.health_service import look

router = APIRouter(tags=["health"])


@router.get("/health")
async def health(response: Response) -> Health:
    """200 only when jobs are taken and run: 503 for `down`, and for `degraded` (no worker), too."""
    found = await look()
    if found.status != "ok":
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return found


@router.get("/health/live")
async def live() -> dict[str, str]:
    """200 as long as this process answers; restarting it would not bring a worker or a database back."""
    return {"status": "ok"}
