"""Sentry: what it is told of failures, of cron jobs and of traces, as its own client sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from observe_toys import ACT, Ctx, act
from pydantic import BaseModel
from sentry_sdk.transport import Transport
from worker_toys import enqueue

from arqlite import ArqRedis, Cancel, Discard, call, cron, func, task
from arqlite.errors import ConfigurationError
from arqlite.model import tracing
from arqlite.observe import Sentry
from arqlite.observe.sentry import trace_enqueues

QUEUE = "arq:queue"


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.items: list[tuple[str | None, dict[str, Any]]] = []

    def capture_envelope(self, envelope: Any) -> None:
        for item in envelope.items:
            self.items.append((item.type, item.payload.json))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [payload for found, payload in self.items if found == kind]


@pytest.fixture
def sent() -> Iterator[Kept]:
    """What Sentry's client sends during the test: errors, check-ins and all traces."""
    kept = Kept()
    with sentry_sdk.isolation_scope():
        sentry_sdk.init(
            "https://key@sentry.example/1",
            transport=kept,
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
        )
        yield kept
        sentry_sdk.get_client().close(timeout=0)
        sentry_sdk.get_global_scope().set_client(None)


@task(max_attempts=2, backoff=0, name="charge")
async def charge(ctx: Ctx, card: str, token: str, **more: Any) -> None:
    raise ConnectionError(f"no line, try {ctx['job_try']}")


async def test_failure_with_its_job(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """A failure has its traceback, and says of which job, which function and which attempt it is."""
    job = await arq_redis.options(tags=["vip"]).enqueue("act", "fail")

    await make_worker([ACT], services=[Sentry(traces=False)]).async_run()

    [event] = sent.of("event")
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "boom")
    assert error["mechanism"] == {"type": "arqlite", "handled": False}
    assert error["stacktrace"]["frames"][-1]["function"] == act.__name__
    assert event["transaction"] == "act"
    assert event["tags"] == {
        "arqlite.queue": QUEUE,
        "arqlite.function": "act",
        "arqlite.job_id": job.job_id,
        "arqlite.is_last": "true",
    }
    told = event["contexts"]["arqlite job"]
    assert told.pop("worker")
    told.pop("type", None)  # newer clients add it
    assert told == {
        "id": job.job_id,
        "queue": QUEUE,
        "function": "act",
        "attempt": 1,
        "max_attempts": 5,
        "priority": 0,
        "tags": ["vip"],
        "args": "[Filtered]",
        "kwargs": "[Filtered]",
    }


async def test_what_jobs_decide_is_no_failure(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Retries that a job asks for, snoozes, cancellations and discards are not reported."""
    for action in ("again", "snooze", "cancel", "discard", "return"):
        await enqueue(arq_redis, "act", action)

    await make_worker([ACT], services=[Sentry(traces=False)]).async_run()

    assert sent.of("event") == []


async def test_each_failed_attempt_is_reported(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """A task that is tried again is reported each time; which one was the last is a tag."""
    await arq_redis.enqueue(charge, "4111", "t")

    await make_worker([charge], services=[Sentry(traces=False)]).async_run()

    assert [
        (event["tags"]["arqlite.is_last"], event["contexts"]["arqlite job"]["attempt"])
        for event in sent.of("event")
    ] == [("false", 1), ("true", 2)]


async def test_only_the_last_failure(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """If asked for, only the failure after which the job does not run again is reported."""
    await arq_redis.enqueue(charge, "4111", "t")

    await make_worker([charge], services=[Sentry(only_last=True, traces=False)]).async_run()

    assert [event["contexts"]["arqlite job"]["attempt"] for event in sent.of("event")] == [2]


async def test_expected_failures(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Exceptions that are expected are not reported."""
    await enqueue(arq_redis, "act", "fail")

    await make_worker([ACT], services=[Sentry(ignore=(ValueError,), traces=False)]).async_run()

    assert sent.of("event") == []


async def test_arguments_without_secrets(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Arguments are shown if asked for, but for those whose names tell a secret, at any depth."""
    more = {"buyer": {"name": "Ada", "api_key": "k"}, "passwords": ["p"], "carts": [{"Cookie": "c", "n": 1}]}
    await arq_redis.enqueue(charge, "4111", "t", **more)

    await make_worker([charge], services=[Sentry(send_args=True, only_last=True, traces=False)]).async_run()

    [event] = sent.of("event")
    told = event["contexts"]["arqlite job"]
    assert told["args"] == ["4111", "[Filtered]"]
    assert told["kwargs"] == {
        "buyer": {"name": "Ada", "api_key": "[Filtered]"},
        "passwords": "[Filtered]",
        "carts": [{"Cookie": "[Filtered]", "n": 1}],
    }


class Card(BaseModel):
    number: int
    token: str


class Odd:
    """Cannot be written as JSON."""


async def pay(ctx: Ctx, card: Card) -> None:
    raise ValueError("declined")


async def test_secrets_in_models(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """An argument that its annotation made a model of is shown by its fields, without the secret ones."""
    await enqueue(arq_redis, "pay", {"number": 1, "token": "t"})

    await make_worker([func(pay, name="pay")], services=[Sentry(send_args=True, traces=False)]).async_run()

    [event] = sent.of("event")
    assert event["contexts"]["arqlite job"]["args"] == [{"number": 1, "token": "[Filtered]"}]
    assert Sentry()._shown("odd", Odd()) == "<Odd>"


async def test_own_names_of_secrets(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Which names are secret may be said; names count by their parts, in upper or lower case."""
    await arq_redis.enqueue(charge, "4111", "t")
    service = Sentry(send_args=True, redact=["CARD"], only_last=True, traces=False)

    await make_worker([charge], services=[service]).async_run()

    [event] = sent.of("event")
    assert event["contexts"]["arqlite job"]["args"] == ["[Filtered]", "t"]


async def test_failure_without_a_run(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """A job that failed without a run is reported with its own facts, and shows no argument by place."""
    await enqueue(arq_redis, "act", "secret", _job_try=9)

    await make_worker([ACT], services=[Sentry(send_args=True, traces=False)]).async_run()

    [event] = sent.of("event")
    assert event["tags"]["arqlite.function"] == "act"
    assert event["contexts"]["arqlite job"]["args"] == ["[Filtered]"]


async def test_runs_have_scopes_of_their_own(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """What one job tags is not on what another one reports, nor after them all."""
    both = asyncio.Barrier(2)

    async def tagging(ctx: Ctx, name: str) -> None:
        sentry_sdk.set_tag("mine", name)
        sentry_sdk.add_breadcrumb(message=name)
        await both.wait()
        raise ValueError(name)

    for name in ("a", "b"):
        await enqueue(arq_redis, "tagging", name)

    await make_worker([func(tagging, name="tagging")], services=[Sentry(traces=False)]).async_run()
    sentry_sdk.capture_message("after")

    *failures, after = sent.of("event")
    for event in failures:
        [error] = event["exception"]["values"]
        assert event["tags"]["mine"] == error["value"]
        assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == [error["value"]]
    assert len(failures) == 2
    assert "mine" not in after.get("tags", {})


async def test_without_a_client_nothing_happens(arq_redis: ArqRedis, make_worker: Any) -> None:
    """Where Sentry was not set up, jobs run and fail as ever."""
    job = await enqueue(arq_redis, "act", "fail")

    await make_worker([ACT], services=[Sentry()]).async_run()

    with pytest.raises(ValueError, match="boom"):
        await job.result(timeout=5)


# -- cron monitors


async def fine(ctx: Ctx) -> None: ...


async def bad(ctx: Ctx) -> None:
    raise ValueError("late")


async def idle(ctx: Ctx) -> None:
    raise Cancel("nothing to do today")


async def hopeless(ctx: Ctx) -> None:
    raise Discard("no such report")


@pytest.mark.parametrize(
    ("coroutine", "status"), [(fine, "ok"), (bad, "error"), (idle, "ok"), (hopeless, "error")]
)
async def test_cron_job_checks_in(
    arq_redis: ArqRedis, make_worker: Any, sent: Kept, coroutine: Any, status: str
) -> None:
    """A cron job checks in at its start and at its end, as one check-in, and tells when it is to come."""
    job = cron(
        coroutine, hour=3, minute=0, run_at_startup=True, name="Nightly Report", timezone="Europe/Berlin"
    )

    await make_worker([], cron_jobs=[job], services=[Sentry(traces=False)]).async_run()

    begun, over = sent.of("check_in")
    assert [begun["status"], over["status"]] == ["in_progress", status]
    assert begun["monitor_slug"] == over["monitor_slug"] == "nightly-report"
    assert begun["check_in_id"] == over["check_in_id"]
    assert over["duration"] >= 0
    assert begun["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 3 * * *"},
        "timezone": "Europe/Berlin",
    }


async def test_cron_job_that_is_tried_again_is_one_check_in(
    arq_redis: ArqRedis, make_worker: Any, sent: Kept
) -> None:
    """While a cron job will be tried again it is still under way; the end is told once."""

    @task(max_attempts=2, backoff=0, name="flaky")
    async def flaky(ctx: Ctx) -> None:
        if ctx["job_try"] == 1:
            raise ValueError("not yet")

    worker = make_worker(
        [], cron_jobs=[cron(flaky, hour=3, run_at_startup=True)], services=[Sentry(traces=False)]
    )
    await worker.async_run()

    told = sent.of("check_in")
    assert [one["status"] for one in told] == ["in_progress", "in_progress", "ok"]
    assert len({one["check_in_id"] for one in told}) == 1


async def test_other_jobs_do_not_check_in(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Jobs that no cron job made do not check in, and none does if that is switched off."""
    await enqueue(arq_redis, "act")
    await make_worker([ACT], services=[Sentry()]).async_run()
    quiet = make_worker([], cron_jobs=[cron(fine, run_at_startup=True)], services=[Sentry(monitors=False)])
    await quiet.async_run()

    assert sent.of("check_in") == []


# -- traces


async def test_trace_goes_on_in_the_run(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """A run is a transaction of the trace in which its job was enqueued."""
    stop = trace_enqueues()
    with sentry_sdk.start_transaction(name="request") as request:
        job = await enqueue(arq_redis, "act")
    stop()

    await make_worker([ACT], services=[Sentry()]).async_run()

    web, run = sent.of("transaction")
    [publish] = web["spans"]
    context = run["contexts"]["trace"]
    assert (publish["op"], publish["data"]["messaging.message.id"]) == ("queue.publish", job.job_id)
    assert (run["transaction"], context["op"], context["status"]) == ("act", "queue.process", "ok")
    assert context["trace_id"] == request.trace_id
    assert context["parent_span_id"] == publish["span_id"]
    assert context["data"]["messaging.destination.name"] == QUEUE
    assert context["data"]["messaging.message.id"] == job.job_id


async def test_failure_is_in_the_trace_of_its_run(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """What a run reports belongs to its transaction, which is not well."""
    await enqueue(arq_redis, "act", "fail")

    await make_worker([ACT], services=[Sentry()]).async_run()

    [event], [run] = sent.of("event"), sent.of("transaction")
    assert event["contexts"]["trace"]["span_id"] == run["contexts"]["trace"]["span_id"]
    assert run["contexts"]["trace"]["status"] == "internal_error"


async def test_runs_have_traces_of_their_own(arq_redis: ArqRedis, make_worker: Any, sent: Kept) -> None:
    """Jobs that were enqueued outside of traces are not of one trace because one worker ran them."""
    for _ in range(2):
        await enqueue(arq_redis, "act")

    await make_worker([ACT], max_jobs=1, services=[Sentry()]).async_run()

    one, other = sent.of("transaction")
    assert one["contexts"]["trace"]["trace_id"] != other["contexts"]["trace"]["trace_id"]


async def test_many_at_once_share_a_span(arq_redis: ArqRedis, sent: Kept) -> None:
    """Jobs enqueued in one call are one span."""
    stop = trace_enqueues()
    with sentry_sdk.start_transaction(name="request"):
        await arq_redis.enqueue_many([call("act"), call("act")])
    stop()

    [web] = sent.of("transaction")
    assert [span["description"] for span in web["spans"]] == ["act"]


async def test_service_ends_what_it_began(make_worker: Any, sent: Kept) -> None:
    """A worker that has ended leaves no tracer behind."""
    await make_worker([ACT], services=[Sentry()]).async_run()

    assert tracing.tracers == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ignore": "ValueError"}, "ignore must be a tuple of exception classes, got 'ValueError'"),
        ({"redact": "password"}, "redact must be a list of parts of names, got 'password'"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    """Arguments that cannot work are refused where they are written."""
    with pytest.raises(ConfigurationError, match=words):
        Sentry(**options)
