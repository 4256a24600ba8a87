"""E-mails that wait to be read for money: taken by one job at a time, and what was found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.database import insert_into
from app.models import Category, Email, EmailExtraction, ExtractionStatus, Job, LLMTransaction, Transaction
from app.services.llm import ExtractionResult
from arqlite.ledger import OPEN_STATUSES


class ExtractionService:
    """The database's side of the extraction, for one job. Commits nothing: the job decides when."""

    def __init__(self, db: AsyncSession, job_id: str) -> None:
        self.db = db
        self.job_id = job_id

    async def claim(self, batch_size: int) -> Sequence[Email]:
        """Take up to `batch_size` e-mails that no other job has, first what this job took before it died.

        A claim lasts as long as its job is open in the ledger, so a job given up leaves nothing behind.
        """
        holder_is_open = select(Job.id).where(Job.id == Email.claimed_by, Job.status.in_(OPEN_STATUSES))
        wanted = (
            select(Email.id)
            .where(
                Email.extraction_status.in_((ExtractionStatus.PENDING, ExtractionStatus.PROCESSING)),
                or_(
                    Email.extraction_status == ExtractionStatus.PENDING,
                    Email.claimed_by == self.job_id,
                    ~holder_is_open.exists(),
                ),
            )
            .order_by(Email.claimed_by.is_(None), Email.id)
            .limit(batch_size)
            .with_for_update(skip_locked=True)  # PostgreSQL; SQLite has one writer at a time anyway
        )
        taken = await self.db.execute(
            update(Email)
            .where(Email.id.in_(wanted))
            .values(extraction_status=ExtractionStatus.PROCESSING, claimed_by=self.job_id)
            .returning(Email.id)
            .execution_options(synchronize_session=False)
        )
        statement = select(Email).where(Email.id.in_(list(taken.scalars()))).order_by(Email.id)
        return (await self.db.execute(statement.execution_options(populate_existing=True))).scalars().all()

    async def record_failure(self, email: Email, reason: str) -> None:
        """The e-mail could not be read; it is FAILED and says why."""
        await self._finish(email, ExtractionStatus.FAILED, reason)

    async def record(self, email: Email, result: ExtractionResult) -> bool:
        """Keep an answer and what it cost; tell whether it made a transaction.

        An e-mail that another job finished meanwhile (this one was given up) keeps its first answer.
        """
        self.db.add(
            LLMTransaction(
                email_id=email.id,
                job_id=self.job_id,
                model=result.usage.model,
                prompt_tokens=result.usage.prompt_tokens,
                completion_tokens=result.usage.completion_tokens,
                cost_usd=result.usage.cost,
            )
        )
        if not await self._finish(email, ExtractionStatus.DONE):
            return False
        facts = result.model_dump(include={"amount", "currency", "merchant", "date", "direction"})
        self.db.add(
            EmailExtraction(
                email_id=email.id,
                is_transaction=result.is_transaction,
                category=result.category,
                confidence=result.confidence,
                reason=result.reason,
                model=result.usage.model,
                **facts,
            )
        )
        if result.is_transaction:
            await self._add_transaction(email, result.category, facts)
        return result.is_transaction

    async def _add_transaction(self, email: Email, category: str | None, facts: dict[str, Any]) -> None:
        category_id = await self._category_id(category) if category else None
        self.db.add(Transaction(email_id=email.id, user_id=email.user_id, category_id=category_id, **facts))

    async def _finish(self, email: Email, status: ExtractionStatus, error: str | None = None) -> bool:
        """Move a claimed e-mail on; False if the claim is no longer ours."""
        finished = await self.db.execute(
            update(Email)
            .where(
                and_(
                    Email.id == email.id,
                    Email.extraction_status == ExtractionStatus.PROCESSING,
                    Email.claimed_by == self.job_id,
                )
            )
            .values(extraction_status=status, extraction_error=error, claimed_by=None)
            .returning(Email.id)
            .execution_options(synchronize_session=False)
        )
        return finished.scalar_one_or_none() is not None

    async def _category_id(self, name: str) -> int:
        """Find the category, or create it; two jobs that create it at once get the same one."""
        await self.db.execute(insert_into(self.db, Category).values(name=name).on_conflict_do_nothing())
        return (await self.db.execute(select(Category.id).where(Category.name == name))).scalar_one()
