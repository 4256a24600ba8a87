"""The one loop that owns a session's turns: ends out, claimed jobs in, dispatch.

The next turn travels while the jobs of the last one run, and carries whatever has ended by then:
batches size themselves by how long Redis takes. Nothing is polled: the loop waits for a job's end,
a wake token, a due time or a change of plan.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from ..engine import RedisEngine, Returned, Turn, Waker
from ..engine.redis import TURN_LIMIT
from ..errors import SessionLost
from ..service import Service
from ..telemetry import JobStopped, has_handlers
from .acker import Acker, Batch
from .capacity import Capacity
from .doorbell import Doorbell
from .executor import Executor
from .intake import Intake, Refused
from .orders import Orders
from .outage import REDIS_TROUBLE, Outage
from .precheck import Precheck
from .recall import cancel_returned
from .run import Run
from .stager import Stager
from .swept import tell_swept
from .trust import Trust

if TYPE_CHECKING:  # without a ledger there need not be an SQLAlchemy
    from ..ledger.store import FinalRow

logger = logging.getLogger("arqlite.worker")

# Short jobs are claimed ahead, so that slots never wait for Redis. Longer ones are not: a job in
# hand behind a long one would wait although another worker is free.
_SHORT_JOB_MS = 20.0
_AVERAGE_OVER = 0.1
# Jobs claimed ahead that found no slot for this long go back.
_STALLED_AFTER_S = 0.05
# How long a job on its last chance waits for another one that has just that.
_SUSPECT_PAUSE_MS = 200
# A worker that put a job aside, as it does not know its function, lets others look at it before it does.
_STEP_BACK_MS = 100
# A burst ends when nobody has jobs left; those of others are looked for this often.
_BURST_LOOK_S = 0.25


class Producer(Service):
    """Claims jobs, starts them, and acknowledges them.

    Args:
        engine: the queue.
        waker: waits for the wake token.
        acker: what is to be acknowledged.
        intake: turns claimed records into runs.
        capacity: how many more jobs of functions with a limit may start.
        orders: what the queue tells its workers, and how many jobs run at once.
        suspect_after: how many dead workers put a job on its last chance; such jobs run one at a time.
        lease_ms: how long a lease lasts.
        new_session: makes the name of a session.
        lease_is_safe: tells whether the lease is known to hold; nothing new is started otherwise.
        resized: called with how many jobs run at once, when that has changed.
        opened: called after a session was opened, with its name and the ms until another's lease ends.
        trust: doubted when the connection to Redis breaks, or the lease ends.
        precheck: asks the ledger which jobs are over already; None without one.
        burst: whether to end when the queue is empty.
        max_burst_jobs: how many jobs to start in all; negative is no limit.

    Attributes:
        session: the session of now; None while none is open.
        opening: the session that Redis was asked to open and has not confirmed; None otherwise.
        owned: every job that the session owns by this worker's account, until its end is acknowledged;
            None stands for a job that goes back without a run.
        active: the runs that have a slot.
        turned_at: when Redis last answered a turn, by `time.monotonic`; None if it never did.
    """

    def __init__(
        self,
        engine: RedisEngine,
        waker: Waker,
        acker: Acker,
        intake: Intake,
        capacity: Capacity,
        orders: Orders,
        *,
        suspect_after: int,
        lease_ms: int,
        new_session: Callable[[], str],
        lease_is_safe: Callable[[], bool],
        opened: Callable[[str, int], None],
        resized: Callable[[int], None] = lambda max_jobs: None,
        trust: Trust | None = None,
        precheck: Precheck | None = None,
        burst: bool = False,
        max_burst_jobs: int = -1,
    ) -> None:
        super().__init__()
        self.session: str | None = None
        self.opening: str | None = None
        self.owned: dict[str, Run | None] = {}
        self.active: set[Run] = set()
        self.turned_at: float | None = None
        self.executor: Executor
        self.told: Sequence[bytes] = ()
        self._engine = engine
        self._acker = acker
        self._intake = intake
        self._capacity = capacity
        self._orders = orders
        self._max_jobs = orders.max_jobs
        self._suspect_after = suspect_after
        self._lease_ms = lease_ms
        self._new_session = new_session
        self._lease_is_safe = lease_is_safe
        self._opened = opened
        self._resized = resized
        self._trust = trust or Trust()
        self._precheck = precheck
        self._burst = burst
        self._left_to_start = max_burst_jobs if burst else -1
        self._buffer: deque[Run] = deque()
        self._parked: set[str] = set()
        self._stepping_back_until_ms = 0
        self._signal = asyncio.Event()
        self._create_task: Callable[..., asyncio.Task[None]]
        self._stager = Stager(self._look_in_time)
        self._doorbell = Doorbell(
            waker, lambda: self._want() > 0, engine.nudge, self.look, capacity.holds_to_wait_for
        )
        self._outage = Outage("worker")
        self._hungry = True
        self._is_dead = False
        self._is_unsure = False
        self._owes_turn = False
        self._claiming = True
        self._average_ms = 0.0
        self._seen_any = False
        self._moved = 0
        self._stall_timer: asyncio.TimerHandle | None = None

    # -- what others ask the producer

    @property
    def is_claiming(self) -> bool:
        """Whether it claims what it finds; no more once the worker ends."""
        return self._claiming

    @property
    def is_paused(self) -> bool:
        """Whether its queue is paused."""
        return self._orders.is_paused

    @property
    def max_jobs(self) -> int:
        """How many jobs run at once now."""
        return self._max_jobs

    # -- what others tell the producer

    def look(self) -> None:
        """There may be something to claim."""
        self._hungry = True
        self._signal.set()

    def look_at_orders(self) -> None:
        """Something was settled for the queue; a turn tells what, and is due whether there is room or not."""
        self._owes_turn = True
        self.look()

    def hear_version(self, version: int) -> None:
        """Something has been settled for the queue so often: perhaps more often than this worker knows."""
        if version != self._orders.version:
            self.look_at_orders()

    def _look_in_time(self) -> None:
        """A job is due, or a limit lets more of them start. Without a slot for one, others must know."""
        if self._orders.is_limited and self._want() <= 0:
            self._owes_turn = True
        self.look()

    def lease_was_kept(self) -> None:
        """A heartbeat succeeded: what waited for certainty may go on."""
        while self._buffer and self._claiming and len(self.active) < self._max_jobs:
            self._launch(self._buffer.popleft())
        self._signal.set()

    def session_died(self) -> None:
        """A heartbeat heard that the lease has ended."""
        self._is_dead = True
        self._signal.set()

    def deliver(self) -> None:
        """Somebody waits for what has ended to be acknowledged."""
        self._signal.set()

    def job_is_done(self, run: Run) -> None:
        """A run no longer needs its slot."""
        self.active.discard(run)
        took = max(run.finished_ms - run.started_ms, 0)
        self._average_ms += (took - self._average_ms) * (_AVERAGE_OVER if self._seen_any else 1)
        self._seen_any = True
        if self._capacity.has_limits:
            self._capacity.release(run)
            self._hungry = self._hungry or self._capacity.wants_more
        has_slot = len(self.active) < self._max_jobs
        if self._buffer and has_slot and self._claiming and self._lease_is_safe():
            self._launch(self._buffer.popleft())
            self._moved += 1
        self._signal.set()

    def stop_claiming(self) -> None:
        """Claim and start nothing more; jobs claimed ahead go back."""
        self._claiming = False
        self._doorbell.mute()
        self._give_unstarted_back()
        self._stager.stop()
        self._signal.set()

    def abort(self, run: Run) -> None:
        """Cancel a job: a running one is told, one that was claimed ahead ends at once."""
        if run in self._buffer:
            self._buffer.remove(run)
            self._count_as_unstarted(1)
            self._abort_unstarted(run)
        elif self._precheck is not None and self._precheck.take(run):
            self._abort_unstarted(run)
        else:
            run.cancel("abort")

    def _abort_unstarted(self, run: Run) -> None:
        self._capacity.release(run)
        self.executor.abort(run)
        self._signal.set()

    async def drained(self) -> None:
        """Wait until no job runs."""
        while tasks := [run.task for run in self.active if run.task is not None]:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    # -- the loop

    async def open(self) -> None:
        """Open the first session; nothing is claimed yet."""
        await self._open()

    async def start(self) -> None:
        """Begin to claim, in the session that is open or in a first one."""
        self._create_task = asyncio.get_running_loop().create_task
        if self.session is None:
            await self._open()
        await super().start()

    async def finish(self) -> None:
        """Run until a burst is over; for ever otherwise."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def flush(self, patience_s: float) -> None:
        """Deliver what is still to be acknowledged, trying for so many seconds."""
        try:
            async with asyncio.timeout(patience_s):
                while self._acker or self._acker.held:
                    if not self._acker:
                        await self._acker.comes_through()
                    await self._turn(0)
        except TimeoutError:
            self._give_ends_up()

    def _give_ends_up(self) -> None:
        """Leave jobs that have ended to the next rescue, since their ends cannot be delivered."""
        if held := list(self._acker.held):
            logger.error(
                "the ledger did not take the ends of %d jobs; they run again unless it has them after all",
                len(held),
            )
        if self._acker:
            logger.warning("%d ends could not be delivered; those jobs will run again", len(self.owned))
        self._acker.drop(held)
        for job_id in held:
            run = self.owned.get(job_id)
            if run is not None:  # nobody needs to wait for its acknowledgement
                run.cancel_reason = "lost_lease"
                run.acknowledge()

    async def stop(self) -> None:
        """Stop the loop; ends not yet delivered stay in the acker."""
        self._stager.stop()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        await super().stop()
        await self._doorbell.close()

    async def run(self) -> None:
        """Turn whenever there is something to do."""
        while await self._something_to_do():
            await self._turn(self._want())

    async def _something_to_do(self) -> bool:
        """Wait for ends to deliver or jobs to claim; False when a burst is over."""
        while not (self._has_to_turn() or (self._hungry and self._want() > 0)):
            if self._burst and self._claiming and not self._has_jobs:
                if await self._burst_is_over():
                    return False
                continue
            self._signal.clear()
            if self._want() > 0:
                self._doorbell.listen()
            await self._signal.wait()
        return True

    @property
    def _has_jobs(self) -> bool:
        return bool(self.active or self._buffer or self._precheck)

    def _has_to_turn(self) -> bool:
        return bool(
            self._acker or self._is_dead or self._is_unsure or self._owes_turn or self._orders.has_begun
        )

    def _want(self) -> int:
        if not self._claiming or self._orders.is_paused or not self._lease_is_safe():
            return 0
        is_short = self._seen_any and self._average_ms < _SHORT_JOB_MS
        ahead = self._max_jobs if is_short and not self._orders.is_limited else 0
        free = self._max_jobs + ahead - len(self.active) - len(self._buffer)
        if self._precheck is None:
            return free if self._left_to_start < 0 else min(free, self._left_to_start)
        if self._acker.is_shut:
            return 0
        asked = len(self._precheck)
        return free - asked if self._left_to_start < 0 else min(free, self._left_to_start) - asked

    async def _turn(self, want: int) -> None:
        if self._is_dead or self.session is None:
            await self._begin_anew()
            return
        batch = self._acker.take()
        if batch.resent:
            # It may have been done before, and an id in it may be in use again: claiming that job in the
            # same breath could put it under the old one's end.
            want = 0
        if want:
            # A token that comes from here on may be for a job that this turn came too early for.
            self._hungry = False
        self._owes_turn = False
        started = self._orders.take_begun(TURN_LIMIT)
        try:
            asked = self._capacity.reach(want)
            turn = await self._engine.turn(
                self.session, asked, batch.ended, batch.returned, self._capacity.rooms(),
                tuple(batch.failures.values()), started, self.told if has_handlers(JobStopped) else None,
            )  # fmt: skip
        except SessionLost:
            await self._begin_anew()
            return
        except REDIS_TROUBLE as error:
            self._acker.put_back(batch)
            self._orders.untold(started)
            self._hungry = self._owes_turn = True
            await self._bear(error)
            return
        except asyncio.CancelledError:
            self._acker.put_back(batch)
            self._orders.untold(started)
            raise
        self._outage.is_over()
        self.turned_at = time.monotonic()
        recalled = {raw_id.decode(): self.owned.get(raw_id.decode()) for raw_id in turn.recalled}
        self._acknowledge(batch, turn)
        if self._orders.hear(turn.settled):
            self._obey()
        self._capacity.hear(turn.holds)
        self._take_in(turn, want)
        if want:
            self._hungry = self._hungry or self._has_left_some(turn, asked)
        self.told = turn.swept
        if turn.swept:
            tell_swept(self._engine.queue, turn)
            self._owes_turn = True
        if recalled:
            await cancel_returned(self._engine, self.executor, self.session, recalled)
        self._stager.arm(self._next_look_ms(turn) if self._claiming else -1)
        self._is_unsure = turn.held != len(self.owned)
        if self._is_unsure:
            await self._reconcile()

    def _has_left_some(self, turn: Turn, asked: int) -> bool:
        """Tell whether the next turn may bring jobs that this one has left."""
        if len(turn.job_ids) >= asked or turn.more:
            return True
        # Where limits are reached, asking again empties no hold: whoever makes room leaves its token.
        return bool(turn.job_ids or not self._orders.is_limited) and self._capacity.wants_more

    def _next_look_ms(self, turn: Turn) -> int:
        """Tell when to look at the schedule again; what comes next may be what this worker put aside."""
        due_ms = turn.next_due_ms
        is_aside = due_ms >= 0 and turn.now_ms + due_ms <= self._stepping_back_until_ms
        return due_ms + _STEP_BACK_MS if is_aside else due_ms

    def _acknowledge(self, batch: Batch, turn: Turn) -> None:
        refused = set() if batch.resent else {raw_id.decode() for raw_id in turn.lost}
        if refused:
            logger.warning("%d ends were refused: the jobs had been given to other workers", len(refused))
        for job_id in batch.job_ids():
            run = self.owned.pop(job_id, None)
            if run is None:
                continue
            if job_id in refused:
                run.cancel_reason = "lost_lease"
            run.acknowledge()

    def _take_in(self, turn: Turn, want: int) -> None:
        memories = turn.memories or [None] * len(turn.job_ids)
        moments = dict(zip(turn.job_ids, turn.moments, strict=True)) if turn.moments else {}
        pasts = dict(turn.errors) if turn.errors else None
        claimed_at = time.monotonic()
        to_sort = set(turn.job_ids[len(turn.job_ids) - turn.settled.unsorted :])
        for raw_id, record, memory in zip(turn.job_ids, turn.records, memories, strict=True):
            job_id = raw_id.decode(errors="backslashreplace")
            if record is None or job_id.encode() != raw_id:
                self._drop(raw_id)
                continue
            admitted = self._intake.read(job_id, record, memory, turn.now_ms, self.session or "")
            if pasts and raw_id in pasts:
                _recall(admitted, pasts[raw_id])
            if isinstance(admitted, Run):
                admitted.claimed_at = claimed_at
                self.owned[job_id] = admitted
                self._parked.discard(job_id)
                if raw_id in to_sort:
                    lane = self._orders.lane_of(admitted)
                    self._acker.give_back(Returned(job_id, "sorted", 0, "", lane))
                elif admitted.crashes >= self._suspect_after and self._has_suspect(admitted):
                    self._capacity.pass_over(admitted.function)
                    self._acker.give_back(Returned(job_id, "scheduled", _SUSPECT_PAUSE_MS, ""))
                elif self._capacity.has_limits:
                    want -= self._dispatch_limited(admitted, moments[raw_id], want)
                else:
                    self._dispatch(admitted)
            elif isinstance(admitted, Refused):
                self.owned[job_id] = admitted.run
                self._capacity.pass_over(admitted.run.function)
                if self._precheck is not None and self._precheck.wants(admitted.run):
                    self._precheck.put(admitted.run, partial(self._refuse, admitted), self._end_again)
                else:
                    self._refuse(admitted)
            else:
                self.owned[job_id] = None
                self._put_aside(admitted, turn.now_ms)

    def _refuse(self, refused: Refused) -> None:
        """End a job without a run; it takes a slot only if somebody wants to hear of that."""
        run = refused.run
        if run.terms.task is None or run.terms.task.on_discard is None:
            self.executor.refuse(run, refused.error, refused.cause)
        else:
            self.active.add(run)
            run.task = self._create_task(self.executor.refuse_aloud(run, refused.error, refused.cause))
        self._signal.set()  # the ledger may have been asked first, long after the turn

    def _put_aside(self, job: Returned, now_ms: int) -> None:
        """A job of a function that this worker does not know is for others."""
        self._parked.add(job.job_id)
        # It is due that long after the next turn, which brings it back to the queue.
        until_ms = now_ms + job.ms + _STEP_BACK_MS
        self._stepping_back_until_ms = max(self._stepping_back_until_ms, until_ms)
        self._acker.give_back(job)

    def _has_suspect(self, newcomer: Run) -> bool:
        """Jobs on their last chance run apart: one of them will be blamed if the worker dies again."""
        others = (*self.active, *self._buffer, *(self._precheck.waiting if self._precheck else ()))
        return any(run.crashes >= self._suspect_after for run in others if run is not newcomer)

    def _drop(self, raw_id: bytes) -> None:
        """A claimed id without a job, or one that is no text, was not enqueued by any client of ours."""
        logger.error("job %r cannot be run: its record is gone, or its id is no UTF-8; dropping it", raw_id)
        job_id = cast("str", raw_id)
        self.owned[job_id] = None
        self._acker.end(job_id, 0, b"")

    def _dispatch_limited(self, run: Run, moment_ms: int, want: int) -> int:
        """Start a job if its function has room and there is a slot; returns whether it did."""
        if want > 0 and self._capacity.admits(run):
            self._dispatch(run)
            return True
        hold = self._capacity.hold_of(run)
        self._acker.give_back(Returned(run.job_id, "held" if hold else "ready", moment_ms, "", hold))
        return False

    def _dispatch(self, run: Run) -> None:
        if self._precheck is not None and self._precheck.wants(run):
            self._precheck.put(run, partial(self._place, run), self._end_again)
        else:
            self._place(run)

    def _end_again(self, run: Run, row: FinalRow) -> None:
        """Redis has forgotten that a job ended, or never heard of it: let it know, and run nothing."""
        self._capacity.release(run)
        self.executor.end_again(run, row)
        self._signal.set()

    def _place(self, run: Run) -> None:
        if self._left_to_start > 0:
            self._left_to_start -= 1
        if not self._claiming:
            self._capacity.release(run)
            self._acker.give_back(Returned(run.job_id, "ready", run.score_ms, ""))
        # Who waited for the ledger comes without a turn that would have told of the lease.
        elif len(self.active) < self._max_jobs and (self._precheck is None or self._lease_is_safe()):
            self._launch(run)
        else:
            self._buffer.append(run)
            self._watch_buffer()

    def _launch(self, run: Run) -> None:
        self.active.add(run)
        if self._orders.has_rate:
            run.on_begin = self._has_begun
        run.task = self._create_task(self.executor.run(run))

    def _has_begun(self, run: Run) -> None:
        if self.owned.get(run.job_id) is run:
            self._orders.begun(run)
            self._signal.set()

    def _obey(self) -> None:
        """Do what was settled for the queue."""
        if self._max_jobs != self._orders.max_jobs:
            self._max_jobs = self._orders.max_jobs
            self._capacity.resize(self._max_jobs, [*self.active, *self._buffer])
            self._resized(self._max_jobs)
        if self._orders.is_paused or self._orders.is_limited:
            self._give_unstarted_back()
        self.look()

    # -- jobs claimed ahead

    def _watch_buffer(self) -> None:
        if self._stall_timer is None:
            self._moved = 0
            loop = asyncio.get_running_loop()
            self._stall_timer = loop.call_later(_STALLED_AFTER_S, self._end_stall)

    def _end_stall(self) -> None:
        """Jobs in hand that found no slot in all this time stand behind long ones: others may be free."""
        self._stall_timer = None
        if not self._buffer:
            return
        if self._moved:
            self._watch_buffer()
            return
        self._give_buffer_back()
        self._average_ms = max(self._average_ms, 2 * _SHORT_JOB_MS)
        self._signal.set()

    def _give_unstarted_back(self) -> None:
        """Claimed jobs without a slot go back."""
        self._give_buffer_back()
        for run in self._precheck.take_all() if self._precheck is not None else ():
            self._capacity.release(run)
            self._acker.give_back(Returned(run.job_id, "ready", run.score_ms, ""))

    def _give_buffer_back(self) -> None:
        while self._buffer:
            run = self._buffer.popleft()
            self._capacity.release(run)
            self._count_as_unstarted(1)
            self._acker.give_back(Returned(run.job_id, "ready", run.score_ms, ""))

    def _count_as_unstarted(self, jobs: int) -> None:
        """Jobs that were claimed ahead leave without a start: a burst may start as many others."""
        if self._left_to_start >= 0:
            self._left_to_start += jobs

    # -- sessions

    async def _bear(self, error: BaseException) -> None:
        """Redis is out of reach: wait a while. It may be another one when it is back."""
        self._trust.doubt()
        self._outage.begins(error)
        await self._outage.wait()

    async def _open(self) -> None:
        session = self.opening = self._new_session()
        while True:
            try:
                earliest = await self._engine.open(session, self._lease_ms)
                while not self._orders.joined(await self._engine.join(session, self._orders.membership())):
                    pass
            except REDIS_TROUBLE as error:
                await self._bear(error)
            else:
                self._outage.is_over()
                self.session, self.opening, self._is_dead = session, None, False
                self._obey()
                self._opened(session, earliest)
                return

    async def _begin_anew(self) -> None:
        """The lease ended unseen: what runs here runs elsewhere, too, and must not be acknowledged."""
        if self.session is not None:
            logger.warning(
                "the lease of %s ended; %d of its jobs are cancelled here and run elsewhere",
                self.session,
                len(self.owned),
            )
        self._trust.doubt()
        for run in self.owned.values():
            self._give_up(run)
        self.owned.clear()
        self._count_as_unstarted(len(self._buffer))
        self._buffer.clear()
        if self._precheck is not None:
            self._precheck.take_all()
        self._acker.clear()
        self._orders.forget_starts()
        self.session = None
        await self._open()
        self._hungry = True

    async def _reconcile(self) -> None:
        """Server and worker differ on who owns what: a reply was lost, or a failover undid something."""
        assert self.session is not None  # noqa: S101 (a turn was just answered)
        try:
            members = await self._engine.owned(self.session)
        except REDIS_TROUBLE as error:
            await self._bear(error)
            return
        self._is_unsure = False
        for job_id in members - self.owned.keys():
            self._acker.give_back(Returned(job_id, "ready", 0, ""))
        lost = self.owned.keys() - members
        self._acker.drop(lost)
        for job_id in lost:
            self._give_up(self.owned.pop(job_id))
        kept = deque(run for run in self._buffer if run.job_id in self.owned)
        self._count_as_unstarted(len(self._buffer) - len(kept))
        self._buffer = kept

    def _give_up(self, run: Run | None) -> None:
        if run is None:
            return
        if run.task is None:
            self._capacity.release(run)
            if self._precheck is not None:
                self._precheck.take(run)
        run.cancel("lost_lease")
        run.cancel_reason = "lost_lease"
        run.acknowledge()

    # -- the end of a burst

    async def _burst_is_over(self) -> bool:
        if self._left_to_start == 0:
            return True
        if self._orders.is_paused:
            logger.info("the burst ends: queue %s is paused", self._engine.queue)
            return True
        try:
            size = await self._engine.size()
        except REDIS_TROUBLE as error:
            await self._bear(error)
            return False
        if size.moving <= len(self._parked):
            return True
        self._signal.clear()
        try:
            async with asyncio.timeout(_BURST_LOOK_S):
                await self._signal.wait()
        except TimeoutError:
            self._hungry = True
        return False


def _recall(admitted: Run | Refused | Returned, errors: Sequence[bytes]) -> None:
    """Let a claimed job know what its earlier attempts failed with."""
    if isinstance(admitted, Run):
        admitted.past = errors
    elif isinstance(admitted, Refused):
        admitted.run.past = errors
