"""`JobRunner`: one job from its row to its end, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from ..errors import LedgerError, Postpone
from ..model.context import current_job
from . import hearing, store
from .adoption import Adoption, Run, decide
from .databases import is_same_database, read_committed
from .endings import Ending, asked_by, ending_of
from .identity import run_of
from .jobs import BaseJob, RowT
from .outage import Outage, is_away, is_conflict, words_of
from .payloads import jsonable
from .recorder import Recorder
from .rows import JobRowMixin, utc_now
from .store import Asked
from .tables import JobRow

logger = logging.getLogger("arqlite.ledger")

ResultT = TypeVar("ResultT")

SETTLE_TIMEOUT_S = 10.0
"""How long a cancelled job may take to write down its end; the worker waits for it."""
_ADOPTION_TRIES, _CONFLICT_TRIES = 10, 10
_CONFLICT_PAUSE_S = 0.02


class JobRunner(Generic[RowT]):
    """Runs jobs with a row in the ledger, the one that its worker's recorder keeps of all other jobs.

        async with sessions() as db:
            await JobRunner(db).run_job(Import, "IMPORT", {"user_id": 1}, user_id=1)

    A ledger with a row class of its own has a runner of its own, too:

        class JobRunner(ledger.JobRunner[Job]):
            row_model = Job

    Args:
        db: the session of the run. The runner commits it: at the start (the row is RUNNING), before
            `run` (its clock), and at the end, where its output and the job's last changes are one
            transaction. A worker that was overtaken meanwhile therefore changes nothing with it.
    """

    row_model: type[RowT] = JobRow  # type: ignore[assignment]  # (a subclass with another RowT binds another)
    outage: ClassVar[Outage] = Outage()
    """When to look again while the database is away: all jobs of the process wait for the same one."""

    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def run_job(
        self,
        job_class: type[BaseJob[RowT]],
        job_type: str,
        input_payload: Mapping[str, Any] | None = None,
        *,
        triggered_by: str = "system",
        user_id: int | None = None,
        part: str | None = None,
    ) -> Any:
        """Run a job and return its output, as JSON holds it.

        In a worker the row is the one of the queue's job: the QUEUED row is adopted, a missing one is
        opened. Outside a worker a new row is opened, and nothing runs again there: what a job asks for,
        another try or a later one, is a failure. A second `run_job` within the same queue job gets a row of
        its own, `<job id>:2`; one with a `part`, `<job id>:<part>`.

        What succeeded already does not run again when the queue's job does, be it that this failed later on
        or that its worker died: the stored output is returned. What was cancelled before it began does not
        run either, and gives None.

        Args:
            job_class: whose `run` does the work.
            job_type: what kind of work it is, in the application's words.
            input_payload: what it is asked to do; None is nothing.
            triggered_by: who asked for it, where the row does not say that already.
            user_id: for whom it is, where the row does not say that already.
            part: a name for this part of the queue's job, which it has whenever that runs, and no other one.
                Without one, parts have numbers by the order in which they begin, which must be the same then.

        Raises:
            LedgerError: a later run of the same job owns the row; or it is of another type than this part is.
            ValueError: a part of this name has begun already, or the name is empty or a number.
            Postpone: in a worker, while the database is away, or where others keep it from starting: the job
                was not started. It is tried again until it can be, and loses no try by that.
            Exception: what the job raised, after the row was written.
        """
        run = run_of(job_class.__qualname__, part)
        job = job_class(self.db, input_payload)
        asked = Asked(job_type, jsonable(job.input_payload, "input"), triggered_by, user_id)
        try:
            row = await self._take_row(job, run, asked)
        except Exception as error:
            if current_job() is None or not (is_away(error) or is_conflict(error)):
                raise
            raise self._postponed(run, error) from error
        self.outage.end()
        if job.job_record is not row:
            return _what_is_there(row, run, asked)
        try:
            return await self._perform(job, run)
        except asyncio.CancelledError as error:
            await _to_the_end(self._end(job, run, error))
            raise
        except Exception as error:
            await self._end(job, run, error)
            raise

    async def _perform(self, job: BaseJob[RowT], run: Run) -> Any:
        await self._begin(job, run)
        result = await job.run()
        if (control := asked_by(result)) is not None:
            raise control
        output = jsonable(result)
        if _has_hook(job, "after_run"):
            await self._record_of(job, run)
            await job.after_run(result)
        await self._alone(partial(self._leave_output, run, output))
        return output

    async def _leave_output(self, run: Run, output: Any) -> None:
        # The queue's job goes on, and may yet fail: its end is told by whoever hears of it.
        leave = store.note_output if self._end_is_told(run) else store.succeed
        self._must_be_ours(run, await leave(self.db, self.row_model, run, output))
        if not run.is_told:
            await store.end_attempt(self.db, run)
        await self.db.commit()

    async def _begin(self, job: BaseJob[RowT], run: Run) -> None:
        """Call the hook, and start the clock; whom others keep from that has done nothing yet, and waits."""
        try:
            await job.before_run(await self._record_of(job, run))
            await self._alone(partial(self._start_clock, job, run), is_alone=not _has_hook(job, "before_run"))
        except Exception as error:
            if current_job() is None or not is_conflict(error):
                raise
            raise self._postponed(run, error) from error

    def _end_is_told(self, run: Run) -> bool:
        """Whether this process writes into the very row how the queue's job ends."""
        if not run.is_told:
            return False
        bind = self.db.get_bind(self.row_model)
        engine = bind if isinstance(bind, Engine) else bind.engine
        table = store.table_of(self.row_model)
        return any(
            store.table_of(ledger.row_model).fullname == table.fullname
            and is_same_database(ledger.engine.sync_engine, engine)
            for ledger in hearing.ledgers_told(Recorder, run.queue)
        )

    async def _start_clock(self, job: BaseJob[RowT], run: Run) -> None:
        """Commit the start before the work, whose rollback would take it along."""
        at = utc_now()
        self._must_be_ours(run, await store.mark_started(self.db, self.row_model, run, at))
        await self.db.commit()
        job._last_read = {**job._last_read, "started_at": at}
        if _has_hook(job, "before_run") or inspect(self.row_model).relationships:
            set_committed_value(await self._record_of(job, run), "started_at", at)
        else:  # nobody has changed it, and a look would begin the transaction of the work
            _restore(job)

    async def _alone(
        self, write: Callable[[], Awaitable[ResultT]], *, is_alone: bool | None = None
    ) -> ResultT:
        """Write in a transaction of its own; where it stands in the way of others, again.

        Args:
            write: does it, and commits.
            is_alone: whether the session holds nothing else, which would be lost then; None is to see.
        """
        if is_alone is None:
            is_alone = not self.db.in_transaction()
        for tries_left in reversed(range(_CONFLICT_TRIES)):
            try:
                await read_committed(self.db)
                return await write()
            except Exception as error:
                if not (is_alone and tries_left and is_conflict(error)):
                    raise
            await self._roll_back()
            await _pause()
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    # The row at the start.

    async def _take_row(self, job: BaseJob[RowT], run: Run, asked: Asked) -> RowT:
        """Open or adopt the row; look again when somebody else changed it in between."""
        try:
            for _ in range(_ADOPTION_TRIES):
                if (row := await self._alone(partial(self._try_to_take_row, job, run, asked))) is not None:
                    return row
        except asyncio.CancelledError as error:  # the row may say RUNNING by now
            await _to_the_end(self._end(job, run, error))
            raise
        raise LedgerError(f"the row of job {run.job_id} changes faster than it can be adopted")

    async def _try_to_take_row(self, job: BaseJob[RowT], run: Run, asked: Asked) -> RowT | None:
        """The job's record, or the row of one that is over; None if somebody else has changed it."""
        row = await store.find(self.db, self.row_model, run.job_id, run.queue)
        adoption = decide(row, run, has_output=await self._has_output(row, run))
        if row is not None and adoption.is_over:
            return row
        is_taken = await self._take(row, adoption, run, asked)
        if is_taken and not run.is_told:
            await store.begin_attempt(self.db, run)
        await self.db.commit()
        if not is_taken:
            return None
        if not _has_hook(job, "before_run"):
            await read_committed(self.db)
        return await self._fresh_record(job, run)

    async def _has_output(self, row: RowT | None, run: Run) -> bool:
        """Whether an earlier run of the job has left its output in the row, be it nothing."""
        if row is None or not row.is_open or row.attempt == 0:
            return False
        return row.output_payload is not None or await store.has_output(self.db, self.row_model, run)

    async def _take(self, row: RowT | None, adoption: Adoption, run: Run, asked: Asked) -> bool:
        if row is None:
            return await self._open(run, asked)
        if adoption is Adoption.OVERTAKEN:
            raise _overtaken(run)
        take = store.reopen if adoption is Adoption.REOPEN else store.adopt
        return await take(self.db, self.row_model, run, row, asked)

    async def _open(self, run: Run, asked: Asked) -> bool:
        try:
            await store.open_row(self.db, self.row_model, run, asked)
        except IntegrityError:  # the recorder, or another run of the same job, was quicker
            await self.db.rollback()
            return False
        return True

    async def _record_of(self, job: BaseJob[RowT], run: Run) -> RowT:
        """The job's record, loaded anew where a commit or a rollback expired it: async code cannot wait."""
        record = job.job_record
        if record is None or inspect(record).expired_attributes:
            return await self._fresh_record(job, run)
        return record

    async def _fresh_record(self, job: BaseJob[RowT], run: Run) -> RowT:
        row = await store.find(self.db, self.row_model, run.job_id, run.queue)
        if row is None:
            raise LedgerError(f"the row of job {run.job_id} is gone")
        job.job_record = row
        job._last_read = _values_of(row)
        return row

    async def _record_at_hand(self, job: BaseJob[RowT], run: Run) -> None:
        """The record for a hook that must be called: as it was last read, if it cannot be read now."""
        try:
            await self._record_of(job, run)
        except Exception as error:  # noqa: BLE001 (whatever it is, the job's own error matters more)
            logger.warning("job %s failed, and its row cannot be read: %s", run.job_id, words_of(error))
            await self._roll_back()
            _restore(job)

    def _postponed(self, run: Run, error: Exception) -> Postpone:
        """What cannot be recorded does not start."""
        delay = self.outage.pause()
        logger.warning("job %s waits %0.1fs, for the ledger is away: %s", run.job_id, delay, words_of(error))
        return Postpone(defer=delay)

    @staticmethod
    def _must_be_ours(run: Run, was_moved: bool) -> None:
        if not was_moved:
            raise _overtaken(run)

    # The row at the end.

    async def _end(self, job: BaseJob[RowT], run: Run, error: BaseException) -> None:
        """Roll back what the job left, tell it of a failure, and note the end whatever it makes of that."""
        ending = ending_of(error, current_job())
        await self._roll_back()
        try:
            if ending.failure is not None:
                await self._tell_failure(job, run, ending.failure)
        finally:
            await _to_the_end(self._settle(run, ending))

    async def _tell_failure(self, job: BaseJob[RowT], run: Run, failure: Exception) -> None:
        if not _has_hook(job, "on_failure"):
            return
        await self._record_at_hand(job, run)
        try:
            await job.on_failure(failure)
        except Exception:
            logger.exception("job %s: its on_failure hook failed", run.job_id)
            await self._roll_back()

    async def _settle(self, run: Run, ending: Ending) -> None:
        """Write the end of the run: in the job's session, else in a new one, for a job may break its own."""
        try:
            await read_committed(self.db)
            if await self._write(self.db, run, ending):
                await self.db.commit()
            else:
                logger.warning(
                    "job %s: attempt %d ended after a later run took over", run.job_id, run.attempt
                )
                await self._roll_back()
        except Exception as error:  # noqa: BLE001 (whatever the job did to its session)
            logger.warning("job %s left a session that cannot write its end: %r", run.job_id, error)
            await self._roll_back()
            await self._settle_apart(run, ending)

    async def _settle_apart(self, run: Run, ending: Ending) -> None:
        for tries_left in reversed(range(_CONFLICT_TRIES)):
            try:
                async with AsyncSession(self.db.bind) as own, own.begin():
                    await read_committed(own)
                    await self._write(own, run, ending)
                return
            except Exception as error:  # the job's own error matters more to the queue than the ledger's
                if not (tries_left and is_conflict(error)):
                    logger.exception("job %s: its end could not be written to the ledger", run.job_id)
                    return
            await _pause()

    async def _write(self, db: AsyncSession, run: Run, ending: Ending) -> bool:
        note = store.note_failure if ending.may_be_borne and self._end_is_told(run) else store.settle
        if not await note(db, self.row_model, run, ending):
            return False
        if not run.is_told:
            await store.end_attempt(db, run, ending)
        return True

    async def _roll_back(self) -> None:
        try:
            await self.db.rollback()
        except Exception:
            logger.exception("a job's session could not be rolled back; its connection is dropped")
            await self.db.invalidate()


def _has_hook(job: BaseJob[Any], name: str) -> bool:
    """Whether the job does something of its own there."""
    return getattr(type(job), name) is not getattr(BaseJob, name)


def _restore(job: BaseJob[Any]) -> None:
    """Give the record back what it said when it was last read, and a commit or a rollback expired."""
    for name, value in job._last_read.items():
        set_committed_value(job.job_record, name, value)


async def _pause() -> None:
    await asyncio.sleep(_CONFLICT_PAUSE_S * random.uniform(0.5, 1.5))


def _what_is_there(row: JobRowMixin, run: Run, asked: Asked) -> Any:
    """The output of a run that does not run again.

    Raises:
        LedgerError: it is that of other work: this is another part of the job than it was the last time.
    """
    is_a_runners = row.is_open or run.part_of is not None
    if is_a_runners and row.job_type != asked.job_type:
        raise LedgerError(
            f"the row of job {run.job_id} is of {row.job_type}, not of {asked.job_type}: where the order of a"
            " job's parts is not sure they need names, run_job(..., part=...)"
        )
    told = "done" if row.is_open else row.status
    logger.warning("job %s is %s already and does not run again", run.job_id, told)
    return row.output_payload


def _values_of(row: JobRowMixin) -> dict[str, Any]:
    """What the columns of a row say that are loaded."""
    state = inspect(row)
    return {one.key: state.dict[one.key] for one in state.mapper.column_attrs if one.key in state.dict}


def _overtaken(run: Run) -> LedgerError:
    return LedgerError(f"job {run.job_id}: attempt {run.attempt} was overtaken by a later run")


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` although this task is being cancelled, even when cancelled again, within bounds.

    Every caller goes on to raise the error that brought it here, so no cancellation is forgotten.
    """
    task = asyncio.ensure_future(asyncio.wait_for(work, SETTLE_TIMEOUT_S))
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])  # as a shield does, it leaves the task alone when cancelled
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the end of a job could not be written to the ledger", exc_info=error)
