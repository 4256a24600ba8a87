"""Version 1 of the API."""

from fastapi import APIRouter

from app.api.v1 import accounts, emails, jobs, transactions

router = APIRouter(prefix="/api/v1")
for module in (jobs, accounts, emails, transactions):
    router.include_router(module.router)
