"""The queues in Redis: what to install, how fast to expect them, and how to see their queue empty."""

from __future__ import annotations

from .system import System
from .wire import Wire

OUR_OWN = "arqlite"
OUR_LIMITED = "arqlite limits"


def left_of_arqlite(wire: Wire) -> int:
    base = "aq:{arq:queue}:"
    running = sum(wire.call("SCARD", f"{base}run:{sid}") for sid in wire.call("ZRANGE", base + "live", 0, -1))
    return int(wire.call("ZCARD", base + "ready") + wire.call("ZCARD", base + "sched") + running)


def _floor_left(wire: Wire) -> int:
    return int(wire.call("HLEN", "floor:jobs"))


def _arq_left(wire: Wire) -> int:
    # The id leaves the queue in the transaction that stores the result.
    return int(wire.call("ZCARD", "arq:queue"))


def _saq_left(wire: Wire) -> int:
    # `incomplete` holds every job until the transaction that finishes it.
    return int(wire.call("ZCARD", "saq:default:incomplete"))


def _streaq_left(wire: Wire) -> int:
    # The stream entry is deleted in the transaction that acknowledges and stores the result.
    return int(
        wire.call("XLEN", "streaq:default:queues:normal")
        + wire.call("ZCARD", "streaq:default:queues:delayed:normal")
    )


def _taskiq_stream_left(wire: Wire) -> int:
    # Acknowledged entries stay in the stream, so its length says nothing: undelivered + unacknowledged do.
    (group,) = wire.call("XINFO", "GROUPS", "taskiq")
    facts = dict(zip(group[::2], group[1::2], strict=True))
    return int(facts["pending"]) + int(facts["lag"] or 0)


def _taskiq_list_left(wire: Wire) -> int:
    # It acknowledges nothing, so its clock stops with its last job; the last results may be under way yet.
    return int(wire.call("LLEN", "taskiq"))


def _dramatiq_left(wire: Wire) -> int:
    # Bodies leave the hash with their acknowledgement.
    return int(wire.call("HLEN", "dramatiq:default.msgs") + wire.call("HLEN", "dramatiq:default.DQ.msgs"))


def _huey_left(wire: Wire) -> int:
    # As with taskiq's list: nothing is acknowledged, the last eight results may be under way yet.
    return int(wire.call("LLEN", "huey.redis.huey") + wire.call("ZCARD", "huey.schedule.huey"))


def _all_keys(wire: Wire) -> int:
    # One key for each result, beside a handful of the system's own.
    return int(wire.call("DBSIZE"))


def _arqlite_kept(wire: Wire) -> int:
    return int(wire.call("HLEN", "aq:{arq:queue}:jobs"))


def _streaq_kept(wire: Wire) -> int:
    return int(wire.call("ZCARD", "streaq:default:index:results"))


def _huey_kept(wire: Wire) -> int:
    return int(wire.call("HLEN", "huey.results.huey"))


_WITH_LOOP = ("uvloop>=0.21", "hiredis>=3")

QUEUES: tuple[System, ...] = (
    System(
        "floor",
        "floor",
        (),
        ("redis",),
        180_000,
        _floor_left,
        None,
        "minimal loop: fixed consumers over a deque, one script acks and claims 100, no features, no results",
        can_defer=False,
        measures=frozenset({"drain", "enqueue"}),
    ),
    System(
        OUR_OWN,
        "arqlite",
        (),
        ("arqlite", "redis", "hiredis", "uvloop"),
        100_000,
        left_of_arqlite,
        _arqlite_kept,
        "Worker, results kept 1 h, uvloop",
    ),
    System(
        OUR_LIMITED,
        "arqlite",
        (),
        ("arqlite",),
        75_000,
        left_of_arqlite,
        _arqlite_kept,
        "the same with on_job_start, on_job_end, a global limit and a rate limit, neither ever reached",
        measures=frozenset({"drain"}),
        options={"limits": 1.0},
    ),
    System(
        "arq",
        "arq",
        ("arq==0.28.*", *_WITH_LOOP),
        ("arq", "redis", "hiredis", "uvloop"),
        3_000,
        _arq_left,
        _all_keys,
        "its best: uvloop, poll_delay=0, results kept 1 h",
        options={"poll_delay": 0.0},
    ),
    System(
        "arq default poll",
        "arq",
        ("arq==0.28.*", *_WITH_LOOP),
        ("arq",),
        1_000,
        _arq_left,
        _all_keys,
        "poll_delay=0.5 as it comes: the idle figures of a normal installation",
        measures=frozenset({"pickup", "idle"}),
        options={"poll_delay": 0.5},
    ),
    System(
        "saq",
        "saq",
        # saq 0.26 imports typing_extensions without asking for it.
        ("saq[redis,hiredis]", "typing-extensions", *_WITH_LOOP),
        ("saq", "redis", "hiredis", "uvloop"),
        2_800,
        _saq_left,
        _all_keys,
        "RedisQueue, uvloop, results kept 1 h",
    ),
    System(
        "streaq",
        "streaq",
        ("streaq", *_WITH_LOOP),
        ("streaq", "coredis", "uvloop"),
        1_600,
        _streaq_left,
        _streaq_kept,
        "Worker, uvloop, results kept 1 h",
    ),
    System(
        "taskiq",
        "taskiq",
        ("taskiq", "taskiq-redis", *_WITH_LOOP),
        ("taskiq", "taskiq-redis", "redis", "uvloop"),
        1_500,
        _taskiq_stream_left,
        _all_keys,
        "RedisStreamBroker (its README's choice, acknowledges), RedisAsyncResultBackend kept 1 h, uvloop",
        can_defer=False,
    ),
    System(
        "taskiq list",
        "taskiq",
        ("taskiq", "taskiq-redis", *_WITH_LOOP),
        ("taskiq",),
        2_500,
        _taskiq_list_left,
        _all_keys,
        "ListQueueBroker: no acknowledgements, loses what runs in a crash; the faster of its two",
        can_defer=False,
        measures=frozenset({"drain", "enqueue"}),
        options={"list_broker": 1.0},
    ),
    System(
        "dramatiq",
        "dramatiq",
        ("dramatiq[redis]", "hiredis>=3"),
        ("dramatiq", "redis", "hiredis"),
        2_100,
        _dramatiq_left,
        _all_keys,
        "RedisBroker, 8 worker threads (its default), Results middleware on RedisBackend kept 1 h",
        has_coroutines=False,
    ),
    System(
        "huey",
        "huey",
        ("huey", "redis", "hiredis>=3"),
        ("huey", "redis", "hiredis"),
        7_000,
        _huey_left,
        _huey_kept,
        "RedisHuey, 8 worker threads, results and None kept (for ever: it has no lifetime); pops without "
        "acknowledgement, loses what runs in a crash",
        has_coroutines=False,
    ),
)
