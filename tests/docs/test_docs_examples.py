"""The examples of the docs, run as a reader runs them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PATIENCE_S = 30.0


@pytest.mark.real
def test_quickstart(tmp_path: Path) -> None:
    """A worker in one terminal, the client in another: the result arrives, and Ctrl-C ends the worker."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "arqlite", "quickstart.WorkerSettings"],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = _run("quickstart.py", EXAMPLES, tmp_path)
    finally:
        worker.send_signal(signal.SIGINT)
        _, log = worker.communicate(timeout=PATIENCE_S)

    assert said == "hello, Ada, at the second try\n"
    assert "greet('Ada') try=2" in log
    assert worker.returncode == 0


@pytest.mark.real
def test_two_queues(tmp_path: Path) -> None:
    """One program with two workers: each says which queue it is about, and Ctrl-C ends both."""
    with_log = (
        "import logging, runpy; logging.basicConfig(level='INFO');"
        "runpy.run_path('two_queues.py', run_name='__main__')"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", with_log],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    waited_for = {"[pictures] Starting worker", "[mail] Starting worker"}
    assert program.stderr is not None
    try:
        while waited_for and (line := program.stderr.readline()):
            waited_for -= {words for words in waited_for if words in line}
    finally:
        program.send_signal(signal.SIGINT)
        _, log = program.communicate(timeout=PATIENCE_S)

    assert waited_for == set()
    assert log.count("shutdown on SIGINT") == 2
    assert program.returncode == 0


def test_define(tmp_path: Path) -> None:
    """Services, hooks, options and `current_job` do what the page about defining jobs says."""
    assert _run("define.py", tmp_path, tmp_path).splitlines() == [
        "the worker is up",
        "welcome, try 1: ended within 0 s",
        "yearly_export, try 1: ended within 0 s",
        "'Welcome!' to ada@example.org",
    ]


@pytest.mark.real
def test_limits(tmp_path: Path) -> None:
    """The pages about limits and queues as a program: rates, tenants, pause, scale, check and drain."""
    assert _run("limits.py", tmp_path, tmp_path).splitlines() == [
        "12 packages, in more than a second: True",
        "at once at most: {'acme': 2, 'umbrella': 2}",
        "paused: True, waiting: 1, each worker: 20",
        "over all: 5 by args.tenant",
        "drained: True",
    ]


@pytest.mark.real
def test_transactions(tmp_path: Path) -> None:
    """Jobs go with their orders: through a session, FastAPI, a savepoint and a program without a loop."""
    assert _run("transactions.py", tmp_path, tmp_path).splitlines() == [
        "rolled back: [('ada@example.org',)]",
        "left out: no address",
        "ordered: ['ada@example.org', 'bob@example.org', 'eve@example.org', 'flo@example.org']",
        "sent: True",
    ]


@pytest.mark.real
def test_fastapi_reports(tmp_path: Path) -> None:
    """The page about FastAPI as a program: accepted, followed, told, refused; in a transaction, and after."""
    assert _run("fastapi_reports.py", tmp_path, tmp_path).splitlines() == [
        "202 True",
        "event: end",
        "completed report of May 1.0",
        "409",
        "401",
        "queue=mail",
        "completed",
        "completed",
    ]


def test_enqueue(tmp_path: Path) -> None:
    """The page about enqueueing as a program: types, refusals, ids, many at once, names and ends."""
    assert _run("enqueue.py", tmp_path, tmp_path).splitlines() == [
        "charged Decimal('20.40')",
        "refused charge(): got an unexpected keyword argument 'tipp'",
        "enqueued True enqueued again False",
        "in all 2400",
        "labelled colour=blue colour=blue",
        "declined limit exceeded",
        "JobStatus.complete False charge try 1",
        "JobStatus.not_found",
    ]


def test_schedule(tmp_path: Path) -> None:
    """Jobs run in the order that the page about scheduling shows."""
    said = _run("schedule.py", tmp_path, tmp_path)

    assert f"$ python schedule.py\n{said}```" in (EXAMPLES.parent / "schedule.md").read_text()


def test_unique(tmp_path: Path) -> None:
    """Equal jobs meet the one that is there, in each way that the page about unique jobs shows."""
    assert _run("unique.py", tmp_path, tmp_path).splitlines() == [
        "the same job True conflict True",
        "conflicts [False, False, False, True, True, True]",
        "brought forward True JobStatus.queued",
        "by its task False True False False",
        "refused, it is available",
        "jobs done 9",
    ]


def test_ledger_jobs(tmp_path: Path) -> None:
    """Jobs that keep their row succeed, snooze and fail as the page about them says."""
    *lines, first, second, third, fourth, end = _run("ledger_jobs.py", tmp_path, tmp_path).splitlines()
    assert sorted([first, second, third, fourth]) == ["3 imported"] * 2 + ["attempt 1 begins"] * 2
    assert end == "SUCCESS None ['completed']"
    assert lines == [
        "-- march.csv",
        "attempt 1 begins",
        "3 imported",
        "SUCCESS None ['completed']",
        "-- locked.csv",
        "attempt 1 begins",
        "attempt 1 begins",
        "3 imported",
        "SUCCESS None ['completed']",
        "-- broken.csv",
        "attempt 1 begins",
        "line 3 has no amount; it will be tried again",
        "attempt 2 begins",
        "line 3 has no amount; given up",
        "FAILED ERROR ['retryable', 'discarded']",
        "-- april.csv and may.csv",
    ]


def test_idempotency(tmp_path: Path) -> None:
    """Repeated requests make one job, and another one under the same key is refused."""
    assert _run("idempotency.py", tmp_path, tmp_path).splitlines() == [
        "jobs: 1",
        "repeated: [False, True, True]",
        "another request: 422",
        "in the queue: 1",
    ]


def test_retry(tmp_path: Path) -> None:
    """One job succeeds at its third try, the other has no tries left."""
    said = _run("retry.py", tmp_path, tmp_path)

    assert said == "the page at try 3\nmax 3 retries exceeded at try 4\n"


def test_tasks(tmp_path: Path) -> None:
    """Tasks are tried again, snooze, give up, and tell what they failed with."""
    assert _run("tasks.py", tmp_path, tmp_path).splitlines() == [
        "charge gave up at attempt 1: the account is closed",
        "charge gave up at attempt 1: no money",
        "charged after RateLimited, ConnectionError",
        "attempt 1: RateLimited: 429",
        "attempt 2: ConnectionError: connection refused",
        "trained small at attempt 1 after 1 snooze",
        "cancelled: nobody wants it any more",
        "Hallo, by the best service",
    ]


def test_invoicing(tmp_path: Path) -> None:
    """The task that the README shows snoozes, is tried again, and is enqueued once."""
    said = _run("invoicing.py", tmp_path, tmp_path)

    assert said == "sent invoice 1 again: True ['connection lost']\nTrue\n"


def test_from_oban(tmp_path: Path) -> None:
    """The worker of Oban's that the page translates is unique, snoozes, discards, and is steered by hand."""
    assert _run("from_oban.py", tmp_path, tmp_path).splitlines() == [
        "the same job True conflict True",
        "waiting 4",
        "cancelled 1",
        "welcome (4,) there is no user 4",
        "{'completed': 2, 'discarded': 1, 'cancelled': 1}",
    ]


def test_cancel(tmp_path: Path) -> None:
    """Running and waiting jobs are aborted, and a shutdown gives a job back."""
    assert _run("cancel.py", tmp_path, tmp_path).splitlines() == [
        "a film was cancelled: abort",
        "aborted True",
        "its result is CancelledError",
        "aborted True",
        "of an unknown job False",
        "a third film was cancelled: shutdown",
        "after the shutdown it is queued",
    ]


@pytest.mark.real
def test_tests_of_the_page_about_testing(tmp_path: Path) -> None:
    """The tests that the page about testing shows pass, on fakeredis and on a real server."""
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "test_shop.py")],
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert "13 passed" in told.stdout
    assert told.returncode == 0


def test_examples_of_the_verbs_are_typed() -> None:
    """mypy finds no fault with the programs of the pages, but with the call that is there to be refused."""
    files = [
        EXAMPLES / f"{page}.py"
        for page in (
            *("define", "enqueue", "schedule", "unique", "retry"),
            *("tasks", "cancel", "services", "shop", "workflows", "from_oban", "invoicing"),
            *("invoices", "payments", "after_commit", "training", "packages"),
            *("retention", "ledger", "ledger_strict"),
            *("patterns", "analytics", "metrics", "alert", "operations", "observability"),
        )
    ]

    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *map(str, files)],
        cwd=EXAMPLES.parents[1],
        stdout=subprocess.PIPE,
        text=True,
        timeout=3 * PATIENCE_S,
        check=False,
    )

    assert told.stdout == f"Success: no issues found in {len(files)} source files\n"


@pytest.mark.real
def test_ledger(tmp_path: Path) -> None:
    """The ledger's page as a program asks for jobs, figures and a file, and gets them."""
    said = _run("ledger.py", tmp_path, tmp_path).splitlines()

    assert said[:4] == [
        "letter-2 ERROR nobody is no address",
        "letter-1 SUCCESS sent to ada@example.org",
        "1 discarded ValueError",
        "1 succeeded",
    ]
    assert said[4].startswith(
        "there is no condition 'statsu' of rows; did you mean 'status'? there are state,"
    )
    assert said[5:] == [
        "send {'completed': 1, 'discarded': 1} in less than a minute each: True",
        "0 states with open jobs, None waits longest",
        "send 2 runs, half of them within a second: True",
    ]
    assert (
        (tmp_path / "failed.csv")
        .read_text()
        .startswith('id,error_payload\nletter-2,"{""type"":""ValueError""')
    )


def test_retention(tmp_path: Path) -> None:
    """The page of the ledger's tables as a program prunes what is over, and leaves the rest."""
    assert _run("retention.py", tmp_path, tmp_path).splitlines() == ["pruned 1", "left invoice-1 welcome-2"]


@pytest.mark.real
def test_ledger_strict(tmp_path: Path) -> None:
    """The page about workers with a ledger as a program shows rows of jobs and of their starts."""
    assert _run("ledger_strict.py", tmp_path, tmp_path).splitlines() == [
        "charge SUCCESS None order 7 is paid",
        "  start 1 retryable RETRY",
        "  start 2 completed None",
        "report FAILED ERROR None",
        "  start 1 discarded ERROR",
    ]


def test_crons(tmp_path: Path) -> None:
    """The page of cron jobs as a program tells when they run next."""
    assert _run("crons.py", EXAMPLES, tmp_path).splitlines() == [
        "cron:send_reports 2024-04-01 09:00:00+02:00",
        "cron:fetch_mail 2024-04-01 09:00:00+00:00",
        "cron:warm_cache None",
        "backup 2024-03-30 02:30:00+01:00",
        "poll 2024-03-29 17:56:20+00:00",
    ]


@pytest.mark.real
def test_services(tmp_path: Path) -> None:
    """The page of services as a program: one leads, cron jobs are listed, paused and run by hand."""
    assert _run("services.py", tmp_path, tmp_path).splitlines() == [
        "leads",
        "cron:send_report 0 7 * * mon-fri cron:send_report skip",
        "southern-report 30 7 * * mon-fri southern-report all",
        "report for south",
        "ran south",
        "leads no more",
    ]


@pytest.mark.real
def test_progress(tmp_path: Path) -> None:
    """The page of progress as a program shows how far the job is to its end, then its lines."""
    said = _run("progress.py", tmp_path, tmp_path).splitlines()

    assert said[-3:] == [
        "100% rendering",
        "INFO arqlite.job read 20000 rows",
        "WARNING renderer no logo was found",
    ]


def test_telemetry(tmp_path: Path) -> None:
    """The page of telemetry as a program: JSON lines, counts, the round of a service, one report."""
    said = _run("telemetry.py", tmp_path, tmp_path).splitlines()
    lines = [json.loads(line) for line in said if line.startswith("{")]

    assert [line["event"] for line in lines if line["event"] != "job.start"] == [
        "job.stop", "job.exception", "job.stop", "job.exception", "job.stop",
    ]  # fmt: skip
    assert {line["queue"] for line in lines} == {"shop"}
    assert [line for line in said if not line.startswith("{")] == [
        "Sweeper {'swept': 3}",
        "price import {'source': 'supplier', 'rows': 1200}",
        "[('charge completed', 1), ('charge discarded', 2)]",
        "reported [\"ZeroDivisionError('division by zero') in charge, attempt 1\"]",
    ]


@pytest.mark.real
def test_observability(tmp_path: Path) -> None:
    """The page about observing as a program: a scrape, linked spans, and lines that name their job."""
    said = _run("observability.py", tmp_path, tmp_path).splitlines()
    event, *told = said

    line = json.loads(event)
    assert (line["event"], line["queue"], line["function"]) == ("charged", "shop", "charge")
    assert len(line["trace_id"]) == 32
    assert told == [
        "[shop charge attempt 1] sent a receipt",
        'arqlite_jobs_total{queue="shop",state="completed",task="charge"} 1.0',
        "send shop PRODUCER links: 0",
        "POST /orders INTERNAL links: 0",
        "process shop CONSUMER links: 1",
    ]


def test_functions(tmp_path: Path) -> None:
    """The page of job functions as a program runs a job of each kind."""
    digest = hashlib.pbkdf2_hmac("sha256", b"Ada", b"salt", 1000).hex()

    assert _run("functions.py", tmp_path, tmp_path) == f"fetched Ada\nconverted Ada\n{digest}\n3\n"


def test_workflows(tmp_path: Path) -> None:
    """An order is shipped; another one is taken back, shown, and shipped at the second attempt."""
    said = _run("workflows.py", tmp_path, tmp_path).splitlines()

    assert said[:4] == [
        "reserved hammer",
        "charged Ada for the reservation of hammer",
        "told Ada that hammer is on its way, payment 4711",
        "completed - hammer is on its way, payment 4711",
    ]
    taken_back = said.index("refunded payment 4711 (not shipped)")
    assert said[taken_back + 1 : taken_back + 3] == ["released the reservation of ladder", "compensated"]
    assert "ship discarded no ladder in the warehouse" in said
    assert '    s3["ship<br/>discarded"]:::discarded' in said
    assert said[-2:] == ["completed", "15 words in all"]


@pytest.mark.real
def test_bridge(tmp_path: Path) -> None:
    """A job enqueued as arq does runs in the worker with the bridge; its result is where arq looks."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "arqlite", "bridge.WorkerSettings"],
        cwd=EXAMPLES,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = subprocess.run(
            [sys.executable, "-c", _PRODUCER_OF_ARQ],
            env=_environment(tmp_path), stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=True,
        ).stdout  # fmt: skip
    finally:
        worker.send_signal(signal.SIGINT)
        _, log = worker.communicate(timeout=PATIENCE_S)

    assert said == "hello, Ada\n"
    assert "took 1 jobs over from arq's queue arq:queue" in log


# What arq's `enqueue_job` and `Job.result` do, for a test that has no arq.
_PRODUCER_OF_ARQ = """
import pickle, time
import redis
from arqlite.embedded import EmbeddedServer

server = EmbeddedServer.ensure()
with redis.from_url(server.url()) as client:
    now = int(time.time() * 1000)
    body = pickle.dumps({"t": None, "f": "greet", "a": ("Ada",), "k": {}, "et": now})
    client.psetex("arq:job:a", 86_400_000, body)
    client.zadd("arq:queue", {"a": now})
    while client.zscore("arq:queue", "a") is not None:
        time.sleep(0.05)
    print(pickle.loads(client.get("arq:result:a"))["r"])
server.release()
"""


def test_inspect_jobs(tmp_path: Path) -> None:
    """Jobs are found, counted, mended, retried, changed, cancelled and deleted as the page says."""
    assert _run("inspect_jobs.py", tmp_path, tmp_path).splitlines() == [
        "send_mail ('grace',) attempt 1 ended with ValueError('grace is no address')",
        "1 with two copies",
        "2 of Monday went out",
        "customer 2 got 1 to alan@example.org",
        "{'scheduled': 1, 'completed': 2, 'discarded': 1}",
        "retried True",
        "now 1 to grace@example.org",
        "scheduled with priority 3",
        "('mail', 'late') {'copies': 3}",
        "there is no job 'no-such-job'",
        "cancelled 1",
        "deleted 4",
        'say which jobs are meant, as with function="send_mail"; state="all" means all of the queue',
        "left 0",
    ]


@pytest.mark.real
def test_many_queues(tmp_path: Path) -> None:
    """Jobs of two queues are listed, retried and counted together as the page says."""
    assert _run("many_queues.py", tmp_path, tmp_path).splitlines() == [
        "mail send_mail 'ada@example.org' - TimeoutError: no server for ada@example.org",
        "1 of 1 run again",
        "{'completed': 2, 'all': 2}",
    ]


@pytest.mark.real
def test_invoices(tmp_path: Path) -> None:
    """An invoice is mailed once, with its document, at the second attempt; an unknown one is discarded."""
    assert _run("invoices.py", tmp_path, tmp_path).splitlines() == [
        "sent to ada@example.org at attempt 2",
        "(451, b'too many letters, try again')",
        "sent before",
        "discarded: there is no invoice 999",
        "Invoice 1 invoice-1.pdf b'%PDF-1.4'",
    ]


@pytest.mark.real
def test_payments(tmp_path: Path) -> None:
    """Each payment is charged once: run twice, with its answer lost, with its worker killed."""
    assert _run("payments.py", tmp_path, tmp_path).splitlines() == [
        "the worker was killed: True",
        "twice: ['paid', 'was paid before']",
        "answer lost: paid, as the gateway knew after ConnectionError",
        "killed: paid, as the gateway knew",
        "another one at it: was paid before",
        "declined: failed after 1 attempts",
        "no answer: unclear after 3 attempts",
        "charges: [('payment-1', 500), ('payment-2', 700), ('payment-3', 900)]",
    ]


@pytest.mark.real
def test_after_commit(tmp_path: Path) -> None:
    """Mail goes out for what was committed, once, also where nobody came to enqueue it."""
    assert _run("after_commit.py", tmp_path, tmp_path).splitlines() == [
        "repeated: True",
        "rolled back: nobody is no address",
        "sent: ['ada@example.org']",
        "swept: 1 and again: 0",
        "sent: ['ada@example.org', 'bob@example.org']",
    ]


@pytest.mark.real
def test_training(tmp_path: Path) -> None:
    """Jobs snooze while the GPU is taken, at no cost, and never train two at a time."""
    said = _run("training.py", tmp_path, tmp_path).splitlines()

    assert said[0] == "again is the same job: True"
    assert [line.partition("3,")[0] for line in said[1:3]] == [
        "small on GPU 0, attempt 1 of ",
        "large on GPU 0, attempt 1 of ",
    ]
    assert said[3:] == ["snoozes: 3", "at once at most: 1", "progress: 3 of 3"]


@pytest.mark.real
def test_packages(tmp_path: Path) -> None:
    """The rate is kept over two workers, 429 is slept off, the mirror helps, 404 is final."""
    assert _run("packages.py", tmp_path, tmp_path).splitlines() == [
        "package-0 1.2.3 from registry, attempt 1, 0 snoozes",
        "left-pad 1.2.3 from registry, attempt 1, 1 snoozes",
        "numpy 1.2.3 from mirror, attempt 3, 0 snoozes",
        "discarded: registry has no npm package no-such-thing",
        "asked for within the hour: True",
        "12 calls, 6 in a hurry: False",
    ]


@pytest.mark.real
def test_patterns(tmp_path: Path) -> None:
    """250 files are three jobs; mined again they leave the same counts."""
    assert _run("patterns.py", tmp_path, tmp_path).splitlines() == [
        "batches: 3 there already: 3",
        "patterns in each: [300, 300, 150]",
        "mined again: 3",
        "[('FunctionDef', 250), ('Import', 250), ('Return', 250)]",
        "the last one: 50 of 50, module_249.py",
        "of team search: 6",
        "gone: True",
    ]


@pytest.mark.real
def test_analytics(tmp_path: Path) -> None:
    """Steps are taken back at each failure, the last one is written down, rights are looked at anew."""
    assert _run("analytics.py", tmp_path, tmp_path).splitlines() == [
        "42 answered ['table made for user 1', 'published']",
        "['table made for user 1', 'table dropped', 'table made for user 1', 'table dropped']",
        "failed after 2 attempts; ['user 1: sales by the moon failed, no answer from the moon']",
        "user 2 may not do this any more",
    ]


@pytest.mark.real
def test_metrics(tmp_path: Path) -> None:
    """Runs are counted by function and state, and each failure is reported with what the job carries."""
    said = _run("metrics.py", tmp_path, tmp_path).splitlines()

    assert [line for line in said if "seconds" not in line] == [
        "slow: render_catalogue",
        'jobs_total{function="read_prices",state="completed"} 2',
        'jobs_total{function="read_prices",state="discarded"} 1',
        'jobs_total{function="read_prices",state="retryable"} 1',
        'jobs_total{function="read_prices",state="snoozed"} 1',
        'jobs_total{function="render_catalogue",state="completed"} 1',
        "read_prices [import] attempt 1 so far: ValueError('no prices in there')",
        "read_prices [import] attempt 2 for good: ValueError('no prices in there')",
    ]


@pytest.mark.real
def test_alert(tmp_path: Path) -> None:
    """One of two workers tells that the queue grows, and that it is well again; each once."""
    assert _run("alert.py", tmp_path, tmp_path).splitlines() == [
        "training: many jobs wait",
        "training is well again",
        "told by one of two workers: True",
    ]


@pytest.mark.real
def test_operations(tmp_path: Path) -> None:
    """Stuck jobs are found, all are let run again under a limit, one is cancelled."""
    assert _run("operations.py", tmp_path, tmp_path).splitlines() == [
        "shop 5: ConnectionError at attempt 1",
        "discarded, tried again: 5",
        "waiting, brought forward: 5",
        "not any more: 1",
        "running still: []",
        "{'completed': 9, 'cancelled': 1}",
        "at once at most: 2",
    ]


def _run(example: str, cwd: Path, home: Path) -> str:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example)],
        cwd=cwd,
        env=_environment(home),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    ).stdout


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "ARQLITE_ENV")}
    return kept | {"ARQLITE_HOME": str(home), "ARQLITE_EMBEDDED": "force"}
