"""The API: `uvicorn app.main:app`."""

from __future__ import annotations

from fastapi import FastAPI, Request, status
from fastapi.responses import JSONResponse

from app.api import health, v1
from app.core.setup import lifespan
from app.errors import (
    ApplicationError,
    ConflictError,
    DatabaseUnavailableError,
    InvalidQuestionError,
    NotFoundError,
    QueueUnavailableError,
)
from arqlite import VERSION
from arqlite.errors import IdempotencyConflict, InvalidIdempotencyKey, LedgerTooSlow
from arqlite.fastapi import jobs_router, mount_dashboard

app = FastAPI(
    title="arqlite reference application",
    version=VERSION,
    description="Fetches e-mails and reads them for money, by background jobs with a row each.",
    lifespan=lifespan,
)
app.include_router(health.router)
app.include_router(v1.router)
# What a browser shows of a job while it runs; what is kept of it is told by `v1.jobs`, from the ledger.
app.include_router(jobs_router("/api/v1/live"))
dashboard = mount_dashboard(app, "/ops/jobs", title="arqlite demo")  # for whoever sits at this machine

_STATUS_CODES: dict[type[Exception], int] = {
    NotFoundError: status.HTTP_404_NOT_FOUND,
    ConflictError: status.HTTP_409_CONFLICT,
    QueueUnavailableError: status.HTTP_503_SERVICE_UNAVAILABLE,
    InvalidQuestionError: status.HTTP_422_UNPROCESSABLE_CONTENT,
    LedgerTooSlow: status.HTTP_503_SERVICE_UNAVAILABLE,
    DatabaseUnavailableError: status.HTTP_503_SERVICE_UNAVAILABLE,
    IdempotencyConflict: status.HTTP_422_UNPROCESSABLE_CONTENT,
    InvalidIdempotencyKey: status.HTTP_422_UNPROCESSABLE_CONTENT,
}


@app.exception_handler(ApplicationError)
@app.exception_handler(IdempotencyConflict)
@app.exception_handler(InvalidIdempotencyKey)
@app.exception_handler(LedgerTooSlow)
async def tell(_request: Request, error: Exception) -> JSONResponse:
    """Errors in words, under the status code that fits."""
    code = next((code for kind, code in _STATUS_CODES.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": str(error)}, status_code=code)
