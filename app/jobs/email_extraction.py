"""Reading e-mails for money, by a language model."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar

from app.jobs.base import BaseJob
from app.models import Email
from app.services.extraction_service import ExtractionService
from app.services.llm import ExtractionResult, LLMService, MockLLMService

logger = logging.getLogger("app.jobs")

DEFAULT_BATCH_SIZE = 10
_ASKED_AT_ONCE = 4


class EmailExtractionJob(BaseJob):
    """Input: `{batch_size}`. Reads every e-mail that waits, batch by batch, each committed by itself.

    The model is asked outside of any transaction: it may take seconds, and other writers would wait.
    """

    llm_class: ClassVar[type[LLMService]] = MockLLMService

    async def run(self) -> dict[str, Any]:
        """Extract, and tell `{processed_count, transaction_count, failed_count}`.

        An e-mail that the model cannot read is FAILED with the reason; the others go on.
        """
        batch_size = int(self.input_payload.get("batch_size") or DEFAULT_BATCH_SIZE)
        llm = self.llm_class()
        service = self._service()
        processed_count = transaction_count = failed_count = 0
        while batch := await self._claim(service, batch_size):
            for email, answer in zip(batch, await _ask(llm, batch), strict=True):
                processed_count += 1
                if isinstance(answer, ExtractionResult):
                    transaction_count += await service.record(email, answer)
                else:
                    failed_count += 1
                    await service.record_failure(email, f"{type(answer).__name__}: {answer}")
            await self.db.commit()
        return {
            "processed_count": processed_count,
            "transaction_count": transaction_count,
            "failed_count": failed_count,
        }

    async def _claim(self, service: ExtractionService, batch_size: int) -> list[Email]:
        batch = list(await service.claim(batch_size))
        await self.db.commit()
        return batch

    def _service(self) -> ExtractionService:
        if self.job_record is None:
            raise RuntimeError("the extraction needs the row that JobRunner gives it")
        return ExtractionService(self.db, self.job_record.id)


async def _ask(llm: LLMService, batch: list[Email]) -> list[ExtractionResult | Exception]:
    """The model's answer for each e-mail, or the error in its place."""
    slots = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def ask(email: Email) -> ExtractionResult | Exception:
        async with slots:
            try:
                return await llm.extract_financial_data(email)
            except Exception as error:
                logger.exception("e-mail %d could not be extracted", email.id)
                return error

    return await asyncio.gather(*(ask(email) for email in batch))
