"""arq's keys in Redis: what becomes of code that names them."""

from __future__ import annotations

from ..constants import (
    abort_jobs_ss,
    default_queue_name,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
    retry_key_prefix,
)

_WHY = "arqlite has other keys: what reads this finds nothing, and what deletes it deletes nothing"
_FIXES = {
    job_key_prefix: "Job(id, pool).info() reads a job, Job.abort() takes one out that waits",
    result_key_prefix: "Job(id, pool).result_info() reads a result, pool.forget(id) frees the id",
    in_progress_key_prefix: "Job(id, pool).status() tells whether a job runs",
    retry_key_prefix: "ctx['job_try'] and Job(id, pool).info() tell the try",
    abort_jobs_ss: "Job(id, pool).abort() stops a job",
    default_queue_name: "await pool.queue_depth() counts what waits or runs, pool.queued_jobs() lists it",
}
PREFIX_NAMES = {
    "job_key_prefix": job_key_prefix,
    "result_key_prefix": result_key_prefix,
    "in_progress_key_prefix": in_progress_key_prefix,
    "retry_key_prefix": retry_key_prefix,
    "abort_jobs_ss": abort_jobs_ss,
}
RAW_KEYS = tuple(PREFIX_NAMES.values())
QUEUE_KEY = default_queue_name
# What they all begin with.
_ALL_KEYS = default_queue_name.removesuffix("queue")
# What an application does to a queue's sorted set.
QUEUE_COMMANDS = frozenset(
    {
        *("zcard", "zcount", "zrange", "zrangebyscore", "zrevrange", "zscore", "zmscore", "zrank", "zadd"),
        *("zrem", "zincrby", "zscan", "zscan_iter", "zpopmin", "zremrangebyscore", "zremrangebyrank"),
        *("delete", "unlink", "exists", "type", "rename", "expire"),
    }
)


def is_pattern_of_keys(text: str) -> bool:
    """Tell whether this finds keys of arq, as `KEYS arq:*` does."""
    return text.startswith(_ALL_KEYS) and any(sign in text for sign in "*?[")


def fix_of_key(key: str) -> tuple[str, str]:
    """Tell why a key of arq means nothing, and what to write instead."""
    for known, fix in _FIXES.items():
        if key.startswith(known):
            return _WHY, fix
    return _WHY, _FIXES[default_queue_name]
