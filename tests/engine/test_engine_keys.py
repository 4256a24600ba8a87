"""Key names: of one queue, in one slot, and built in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import arqlite
from arqlite.engine import Keys, NewJob, RedisEngine, due_ms

PACKAGE = Path(arqlite.__file__).parent
BUILDERS = {"engine/keys.py", "constants.py"}
# A text that looks like a Redis key, or like the piece of one that names are glued to.
KEY = re.compile(
    r"^(?:aq|arq):(?!queue$)|:(?:jobs|ready|sched|live|tries|wake|wait|ttls|fin)$|^(?:run|cancel|done|ctl):"
)


def texts(path: Path) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_keys_are_built_in_one_place() -> None:
    """No module but `keys.py` builds the name of a key or channel."""
    found = {
        (str(path.relative_to(PACKAGE)), text)
        for path in PACKAGE.rglob("*.py")
        if str(path.relative_to(PACKAGE)) not in BUILDERS
        for text in texts(path)
        if KEY.search(text)
    }

    assert found == set()


def test_pattern_knows_keys() -> None:
    """The search for stray keys is able to find one, and spares what only looks alike."""
    assert all(KEY.search(text) for text in ["aq:{", "arq:job:", "run:", "cancel:", "x:ready"])
    assert not any(KEY.search(text) for text in ["cron:", "arq:queue", ":health-check", "arqlite:heartbeat"])


def test_all_keys_of_a_queue_are_in_one_slot() -> None:
    """Every key of a queue has its name in braces: a script may touch them all in a cluster."""
    keys = Keys("mail")
    names = [value for name, value in vars(keys).items() if name not in ("queue", "health", "channels")]

    assert [name for name in [*names, keys.run("s"), keys.inbox("s")] if "{mail}" not in name] == []


def test_channels_carry_the_database() -> None:
    """Channels of two databases differ, for pub/sub does not respect databases; keys need not."""
    one, two = Keys("q", 1), Keys("q", 2)

    assert one.finished_channel != two.finished_channel
    assert one.control_channel("s") != two.control_channel("s")
    assert one.jobs == two.jobs


@pytest.mark.parametrize("queue", ["q", "arq:queue", "a b", "q{1}", "ümlaut"])
def test_queue_is_read_out_of_its_key(queue: str) -> None:
    """The name of a queue can be read out of the name of its `jobs` hash."""
    assert Keys.queue_of(Keys(queue).jobs) == queue


@pytest.mark.parametrize("moment", [1_800_000_000_123, 4_000_000_000_000])
async def test_moment_is_read_out_of_a_score(arq_redis: arqlite.ArqRedis, moment: int) -> None:
    """What scripts make a score of, `due_ms` reads out of it."""
    queue = RedisEngine(arq_redis, "one")
    await queue.enqueue([NewJob("a", f"={moment}", b"Q\xffx")])

    score: Any = await arq_redis.zscore(queue.keys.sched, "a")

    assert due_ms(score) == moment


async def test_queues_do_not_touch_each_other(arq_redis: arqlite.ArqRedis) -> None:
    """Two queues of one database may use the same ids."""
    one, two = RedisEngine(arq_redis, "one"), RedisEngine(arq_redis, "two")

    assert await one.enqueue([NewJob("a", "", b"Q\x00x")]) == set()
    assert await two.enqueue([NewJob("a", "", b"Q\x00y")]) == set()

    await two.open("s", 60_000)
    assert (await two.turn("s", 5, {}, ())).records == [b"Q\x00y"]
    assert (await one.peek("a")).home == "ready"
    await two.close()
