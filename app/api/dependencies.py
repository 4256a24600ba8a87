"""What routes ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import AsyncSessionLocal
from app.errors import DatabaseUnavailableError
from arqlite.ledger import is_away

MAX_PAGE = 500
MAX_ID = 2**31 - 1


async def _session() -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSessionLocal() as session:
            yield session
    except Exception as error:
        if not is_away(error):
            raise
        raise DatabaseUnavailableError.of(error) from error


Database = Annotated[AsyncSession, Depends(_session)]
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE)]
RowId = Annotated[int, Query(ge=1, le=MAX_ID)]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before")]
