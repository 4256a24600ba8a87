"""A job in its caller's transaction: its row is written there, and it is pushed after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ..engine import Holder
from ..errors import ConfigurationError
from ..ledger import Ledger, store
from ..ledger.accepting import AcceptedJob
from ..ledger.columns import check_row
from ..ledger.outage import lacks_tables
from ..ledger.queued import queued_row
from ..model.states import STATE_LETTERS, JobState
from .parcels import Errand, Offered, Parcel, parcel_of
from .rowbatch import NewRow, write_rows
from .sessions import connection_of
from .staging import Courier, staged_in


def accepted_job(ledger: Ledger, offer: Offered) -> AcceptedJob:
    """Tell the ledger of an offer.

    Raises:
        ConfigurationError: the row model has no such columns as the caller says, or no room for such values.
    """
    job, signature = offer.accepted(), offer.call.signature
    if ledger.redaction and signature is not None:
        ledger.redaction.learn(job.function, signature.parameter_names)
    if offer.settled.row:
        check_row(ledger.row_model, offer.settled.row)
    return job._replace(columns=check_row(ledger.row_model, job.columns)) if job.columns else job


def new_row(ledger: Ledger, offer: Offered) -> NewRow:
    """Make the row of an offer.

    Raises:
        ConfigurationError: the row model has no such columns as the caller says.
        LedgerError: its id or its queue has a longer name than there is room for.
    """
    return NewRow(queued_row(accepted_job(ledger, offer), ledger.redaction), offer.has_own_id)


def stage(
    session: Session, ledger: Ledger, courier: Courier, offers: Sequence[Offered]
) -> list[Holder | None]:
    """Write the rows of jobs in a session, and have them pushed when it is committed.

    Returns:
        For each which job is there instead: one of its id that is open, or an equal one that this very
        transaction enqueues.

    Raises:
        ConfigurationError: they cannot be written there.
        sqlalchemy.exc.SQLAlchemyError: the transaction failed.
    """
    rows = [new_row(ledger, offer) for offer in offers]
    for row, offer in zip(rows, offers, strict=True):
        _must_be_kept(row, offer)
    connection = connection_of(session, ledger)
    staged = staged_in(session)
    line = staged.line(connection)
    equals = _Equals(staged.parcels)
    answers = [equals.meet(offer) for offer in offers]
    fresh = [place for place, answer in enumerate(answers) if answer is None]
    table = store.table_of(ledger.row_model)
    try:
        written = write_rows(connection, table, [rows[place] for place in fresh])
    except DBAPIError as error:
        if lacks_tables(error):
            error.add_note(
                "The ledger's tables are not in the database of this session: `arqlite db upgrade`."
            )
        raise
    for place, is_written in zip(fresh, written, strict=True):
        if is_written:
            line.add(courier, parcel_of(offers[place]))
        else:
            answers[place] = Holder(offers[place].job.job_id)
    return answers


def stage_errand(session: Session, ledger: Ledger, courier: Courier, errand: Errand) -> None:
    """Have something done when a session is committed."""
    staged_in(session).line(connection_of(session, ledger)).add(courier, errand)


class _Equals:
    """The unique jobs of one transaction: Redis knows none of them yet."""

    def __init__(self, parcels: Sequence[Any]) -> None:
        self._known: dict[str, Holder] = {}
        for parcel in parcels:
            if isinstance(parcel, Parcel):
                self._learn(parcel)

    def meet(self, offer: Offered) -> Holder | None:
        """Tell which job an offer equals; if none, later ones may equal it."""
        parcel = parcel_of(offer)
        lock = parcel.job.lock
        if lock is None:
            return None
        known = self._known.get(lock.digest)
        if known is not None and known.state in lock.states:
            return known
        self._learn(parcel)
        return None

    def _learn(self, parcel: Parcel) -> None:
        if parcel.job.lock is not None:
            state = JobState.SCHEDULED if parcel.is_due_later else JobState.AVAILABLE
            self._known[parcel.job.lock.digest] = Holder(parcel.job.job_id, STATE_LETTERS[state])


def _must_be_kept(row: NewRow, offer: Offered) -> None:
    """A job that is committed before Redis has it must be whole in its row."""
    if not row.is_whole:
        raise ConfigurationError(
            f"{offer.call.function} has arguments that the ledger must not hold, so no transaction can keep "
            f"its job; enqueue it after the commit, or hand over where they are found instead"
        )
