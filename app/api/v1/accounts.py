"""Connected accounts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.dependencies import MAX_ID, Database
from app.schemas.mail import AccountOut
from app.services import account_service

router = APIRouter(prefix="/accounts", tags=["accounts"])


@router.get("")
async def list_accounts(
    db: Database, user_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None
) -> list[AccountOut]:
    """Accounts in the order they were connected."""
    accounts = await account_service.list_accounts(db, user_id)
    return [AccountOut.model_validate(account) for account in accounts]
