"""`arqlite doctor --from-arq`: what an application does that arqlite does otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from arqlite.errors import ConfigurationError
from arqlite.migration.doctor import examine
from arqlite.migration.findings import Level

CHECKOUT = Path(__file__).resolve().parents[2]


def look(folder: Path, text: str, name: str = "app.py") -> list[tuple[int, str, str]]:
    """Look through one file; tell line, level and what was found."""
    (folder / name).write_text(text)
    return [(found.line, found.level.value, found.what) for found in examine(folder)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('redis.get("arq:job:" + job_id)', "the key 'arq:job:' of arq"),
        ('redis.delete(f"arq:result:{job_id}")', "the key 'arq:result:' of arq"),
        ('x = "arq:in-progress:a"', "the key 'arq:in-progress:a' of arq"),
        ('redis.get("arq:retry:" + a)', "the key 'arq:retry:' of arq"),
        ('redis.zrange("arq:abort", 0, -1)', "the key 'arq:abort' of arq"),
        ('redis.keys("arq:*")', "the key 'arq:*' of arq"),
        ('redis.scan_iter(match="arq:re*")', "the key 'arq:re*' of arq"),
        ('redis.zcard("arq:queue")', "zcard on the queue 'arq:queue'"),
        ('class S:\n  queue_name = "mail"\nredis.zcount("mail", 0, 1)', "zcount on the queue 'mail'"),
        ('p(default_queue_name="mail")\nredis.zcard("mail")', "zcard on the queue 'mail'"),
        ("from arqlite.constants import result_key_prefix", "import of result_key_prefix"),
        ("from arqlite import constants\nconstants.job_key_prefix", "use of job_key_prefix"),
        ("from arqlite.constants import default_queue_name as q\nr.zcard(default_queue_name)",
         "zcard on the queue 'default_queue_name'"),
        ("from arqlite.worker import Worker\nWorker.run_job = mine", "Worker.run_job"),
        ("from arqlite.worker import create_worker\nw = create_worker(S)\nw.sem", "Worker.sem"),
        ("from arqlite import Worker\ndef f(w: Worker):\n  w.heart_beat()", "Worker.heart_beat"),
        ("from arqlite import Worker\nclass W(Worker):\n  def run_job(self): 1", "W replaces Worker.run_job"),
        ('patch("arq.worker.Worker.run_job")', "the path 'arq.worker.Worker.run_job'"),
        ("from arqlite.cli import no_such_name", "import of no_such_name"),
        ("from sentry_sdk.integrations.arq import ArqIntegration", "Sentry's ArqIntegration"),
        ('p.enqueue_job("f", lambda: 1)', "an argument that is a lambda"),
        ('p.enqueue_job("f", (1, 2))', "an argument that is a tuple"),
        ('p.enqueue_job("f", x={1, 2})', "an argument that is a set"),
        ('p.enqueue_job("f", [b"x"])', "an argument that is bytes"),
        ('p.enqueue_job("f", {1: 2})', "an argument that is a dict with keys that are no text"),
        ('p.enqueue_job("f", datetime.now(UTC))', "an argument that is datetime.now()"),
        ('p.enqueue_job("f", dt.datetime.utcnow())', "an argument that is datetime.utcnow()"),
        ('p.enqueue_job("f", Decimal("1"))', "an argument that is Decimal()"),
        ('p.enqueue_job("f", {"id": uuid4()})', "an argument that is uuid4()"),
    ],
)  # fmt: skip
def test_what_differs(tmp_path: Path, text: str, what: str) -> None:
    """What would go wrong without an error is found, at its line."""
    last = len(text.splitlines())

    found = look(tmp_path, text)

    assert (what, "differs") in [(one, level) for _, level, one in found]
    assert all(1 <= line <= last for line, _, _ in found)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("from arqlite import Worker\nclass W(Worker): ...", "W is a Worker of its own"),
        ("from arqlite.jobs import deserialize_result", "import of deserialize_result"),
        ('p.enqueue_job("f", User(1))', "an argument that is User(...)"),
        ("async def f(ctx):\n  return 1, 2", "a result that is a tuple"),
        ('p.enqueue_job("f", _job_id="a", _queue_name="q")', "an id of its own on a queue of its own"),
        ("import arqlite\nasync def f():\n try:\n  await job.result()\n except (OSError, Mine): ...",
         "except Mine around a result"),
        ("def f(:", "cannot be read as Python: invalid syntax"),
    ],
)  # fmt: skip
def test_what_to_check(tmp_path: Path, text: str, what: str) -> None:
    """What only a person can judge is to be checked."""
    found = look(tmp_path, text)

    assert [(level, one) for _, level, one in found] == [("check", what)]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("class WorkerSettings:\n  poll_delay = 1", "poll_delay is set"),
        ("class WorkerSettings:\n  queue_read_limit = 1", "queue_read_limit is set"),
        ("import arqlite\ncreate_pool(expires_extra_ms=1)", "expires_extra_ms is set"),
        ("import arqlite\ncreate_pool(job_serializer=dumps)", "job_serializer is set"),
        ("from arq import create_pool", "import of arq"),
        ("import arq.worker", "import of arq.worker"),
    ],
)
def test_what_is_good_to_know(tmp_path: Path, text: str, what: str) -> None:
    """What changes nothing is told as such."""
    found = look(tmp_path, text)

    assert [(level, one) for _, level, one in found] == [("info", what)]


@pytest.mark.parametrize(
    "text",
    [
        '"""Reads arq:job:x and arq:queue."""',
        'p.enqueue_job("f", 1, "x", [1], {"a": None}, _defer_by=timedelta(5), _defer_until=datetime.now())',
        'p.enqueue_job("f", str(uuid4()), now.isoformat(), time.time())',
        'other.send("f", (1, 2))',
        'redis.zcard("mine")',
        "class W(Worker):\n  def run_job(self): ...",
        "async def f(user):\n  return 1, 2",
        "async def f(ctx):\n  def g():\n    return 1, 2\n  return [1]",
        'delay = "arq:queue"',
        "queue.run_job(1)",
    ],
)
def test_what_is_fine(tmp_path: Path, text: str) -> None:
    """What works as before is not spoken of."""
    assert look(tmp_path, text) == []


def test_forgotten_import_differs_once_the_move_has_begun(tmp_path: Path) -> None:
    """Where some files use arqlite already, one that still uses arq works with other keys."""
    (tmp_path / "moved.py").write_text("import arqlite")

    assert look(tmp_path, "import arq") == [(1, "differs", "import of arq")]


def test_own_serializer_carries_all_arguments(tmp_path: Path) -> None:
    """An application with a serializer of its own is not told of JSON."""
    (tmp_path / "pool.py").write_text("create_pool(job_serializer=pickle.dumps)")

    assert look(tmp_path, 'p.enqueue_job("f", (1, 2))') == []


@pytest.mark.parametrize(
    ("name", "text", "level", "what"),
    [
        ("scaler.yaml", "key: arq:job:x", "differs", "the key 'arq:job:' of arq"),
        ("scaler.yaml", "listName: arq:queue", "check", "the key 'arq:queue' of arq"),
        (
            "Procfile",
            "worker: arq app.worker.Settings --burst",
            "differs",
            "the command 'arq app.worker.Settings'",
        ),
    ],
)
def test_other_files(tmp_path: Path, name: str, text: str, level: str, what: str) -> None:
    """Autoscalers and start commands are looked at, too."""
    assert look(tmp_path, text, name) == [(1, level, what)]


def test_foreign_code_is_left_out(tmp_path: Path) -> None:
    """Environments and hidden folders are not the application."""
    for folder in (".venv", "node_modules", "mine/lib"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.py").write_text("import arq")
    (tmp_path / "mine" / "pyvenv.cfg").write_text("")

    assert examine(tmp_path) == []


def test_one_file(tmp_path: Path) -> None:
    """A single file can be looked at, and is named as it was given."""
    path = tmp_path / "app.py"
    path.write_text("import arq")

    [found] = examine(path)

    assert (found.path, found.level, found.fix) == (path, Level.INFO, "import arqlite")


def test_nothing_there(tmp_path: Path) -> None:
    """A path that is not there is told."""
    with pytest.raises(ConfigurationError, match="there is no file or folder"):
        examine(tmp_path / "nowhere")


def test_nothing_is_run(tmp_path: Path) -> None:
    """The application is read and not imported."""
    assert look(tmp_path, f"open({str(tmp_path / 'trace')!r}, 'w')") == []
    assert not (tmp_path / "trace").exists()


def test_reference_application_is_well() -> None:
    """The application of this checkout does nothing that differs."""
    assert [str(found) for found in examine(CHECKOUT / "app") if found.level is Level.DIFFERS] == []
