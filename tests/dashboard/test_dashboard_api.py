"""The dashboard for programs: JSON of all that is shown and done."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from dashboard_toys import BIG
from guard_toys import SAME_ORIGIN, Console, browser, dashboard

from arqlite.console import QueueState
from arqlite.dashboard import Access
from arqlite.dashboard.api import OPERATIONS
from arqlite.dashboard.paths import API
from arqlite.dashboard.routes import GuardedRoute
from arqlite.model.limits import GlobalLimit

READING = [one.path for one in OPERATIONS if one.method == "GET" and "{" not in one.path]


def program(console: Console | None = None, user: str = "admin", **options: Any) -> httpx.AsyncClient:
    app = dashboard(console or Console(), **options)
    client = browser(app, user, **SAME_ORIGIN)
    client.base_url = client.base_url.join(API + "/")
    return client


@pytest.mark.parametrize("path", READING)
async def test_all_that_is_shown_is_json(path: str) -> None:
    """Each thing to see is JSON, and is never kept by anybody on the way."""
    async with program() as client:
        answer = await client.get(path[1:])

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert isinstance(answer.json(), dict | list)


@pytest.mark.parametrize(
    ("path", "away"),
    [
        ("workers", "redis_away"),
        ("crons", "redis_away"),
        ("errors", "ledger_away"),
        ("metrics", "ledger_away"),
        ("audit", "ledger_away"),
    ],
)
async def test_what_could_not_be_asked_is_told(path: str, away: str) -> None:
    """Programs, too, can tell what is not there from what nobody could ask for."""
    async with program(Console(**{away: True})) as client:
        answer = await client.get(path)

    assert answer.status_code == 200
    assert [one["code"] for one in answer.json()["troubles"]] == [away.replace("_", "-")]


async def test_great_numbers_stay_exact() -> None:
    """A number that is greater than a double can tell is written digit by digit."""
    console = Console()
    job = console.jobs_[0]
    async with program(console) as client:
        answer = await client.get(f"jobs/{job.queue}/{job.id}")

    assert answer.json()["kwargs"]["account"] == BIG
    assert str(BIG) in answer.text


async def test_spans_are_seconds() -> None:
    """How long something took or waited is told in seconds."""

    class Waiting(Console):
        async def queue(self, key: str) -> QueueState:
            return QueueState(key=key, name=key, server="x", oldest=timedelta(minutes=1.5))

    async with program(Waiting()) as client:
        answer = await client.get("queues/mail")

    assert answer.json()["oldest"] == 90.0


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("jobs?q=stat:failed", 422, "invalid"),
        ("jobs?limit=0", 422, "invalid"),
        ("jobs?limit=201", 422, "invalid"),
        ("jobs?limit=abc", 422, "invalid"),
        ("jobs?limit=%D9%A3", 422, "invalid"),
        ("errors?since=yesterday", 422, "invalid"),
        ("errors?since=99999999999999d", 422, "invalid"),
        ("errors?queue=nothing", 404, "not-found"),
        ("queues/nothing", 404, "not-found"),
        ("jobs/mail/nothing", 404, "not-found"),
        ("nothing", 404, "not-found"),
        ("", 404, "not-found"),
    ],
)
async def test_mistakes_are_told_in_json(path: str, status: int, code: str) -> None:
    """Whatever is wrong with a question is said in one form, with a code and a sentence."""
    async with program() as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]


async def test_wrong_method_says_which_are_right() -> None:
    """Asking in the wrong way is answered with the right ones."""
    async with program() as client:
        answer = await client.put("overview")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json()["error"]["code"] == "method-not-allowed"


@pytest.mark.parametrize(
    ("path", "body", "verb"),
    [
        ("queues/mail/pause", None, "pause"),
        ("queues/mail/resume", {"node": "web-1"}, "resume"),
        ("queues/mail/scale", {"limit": 5}, "scale"),
        ("queues/mail/stop", {}, "stop_workers"),
        ("queues/mail/purge", {"confirm": "mail"}, "purge"),
        ("crons/mail/nightly/run", None, "run_cron"),
        ("jobs/retry", {"jobs": [{"queue": "mail", "id": "1"}]}, "retry"),
        ("jobs/cancel", {"q": "state:available", "confirm": "cancel"}, "cancel"),
    ],
)
async def test_all_that_is_done(path: str, body: Any, verb: str) -> None:
    """What is asked for is done, and told in a sentence."""
    console = Console()
    async with program(console) as client:
        answer = await client.post(path, json=body)

    assert answer.status_code == 200, answer.text
    assert [(by, done) for by, done, _ in console.acts] == [("admin", verb)]
    assert answer.json()["text"]


async def test_count_of_the_query_stands_beside_those_of_states() -> None:
    """How many match is told beside all states: these are counted whatever the query says of them."""
    console = Console()
    async with program(console) as client:
        counted = (await client.get("jobs/count", params={"q": "-state:completed,discarded"})).json()

    meant = sum(job.state not in ("completed", "discarded") for job in console.jobs_)
    assert counted["matched"] == {"value": meant, "precision": "exact"}
    assert counted["all"]["value"] > meant


async def test_part_that_was_done_is_no_plain_success() -> None:
    """Where a Redis is away, 207 tells what was done to the others' jobs, and what could not be asked."""
    async with program(Console(silent=["reports"])) as client:
        answer = await client.post("jobs/cancel", json={"q": "state:available"})
        document = (await client.get("openapi.json")).json()

    told = answer.json()
    assert (answer.status_code, told["is_all"]) == (207, False)
    assert told["done"] > 0
    assert [(one["code"], one["queue"]) for one in told["troubles"]] == [("redis-away", "reports")]
    responses = {path: one["post"]["responses"] for path, one in document["paths"].items() if "post" in one}
    assert [path for path, one in responses.items() if "207" in one] == ["/api/v1/jobs/{verb}"]
    assert "troubles" in document["components"]["schemas"]["Deed"]["properties"]


async def test_one_job_that_is_not_there_is_not_found() -> None:
    """A job that nobody knows is a 404, not a success that did nothing."""
    async with program() as client:
        answer = await client.post("jobs/mail/nothing/retry")

    assert answer.status_code == 404


async def test_many_jobs_need_a_word() -> None:
    """What means many jobs is answered with how many, and with what to send."""
    console = Console()
    async with program(console) as client:
        asked = await client.post("jobs/delete", json={"q": "attempt:>0"})
        word = re.search(r'"confirm": "(\d+)"', asked.json()["error"]["message"])
        assert word is not None
        done = await client.post("jobs/delete", json={"q": "attempt:>0", "confirm": word[1]})

    assert (asked.status_code, asked.json()["error"]["code"]) == (409, "confirm")
    assert (done.status_code, done.json()["done"]) == (200, 120)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[1]", "application/json", 422),
        (b'{"q": "id:1"}', "text/plain", 415),
        (b'{"q": 1.5}', "application/json", 422),
        (b'{"jobs": ["mail/1"]}', "application/json", 422),
        (b'{"jobs": [{"queue": "other", "id": "1"}]}', "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"q": "id:1", "jobs": "\xff"}', "application/json", 422),
    ],
)
async def test_broken_bodies_do_nothing(body: bytes, kind: str, status: int) -> None:
    """A body that is no JSON object of the right kind is refused in words."""
    console = Console()
    async with program(console) as client:
        answer = await client.post("jobs/retry", content=body, headers={"Content-Type": kind})

    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert console.acts == []


@pytest.mark.parametrize(
    ("said", "limits"),
    [
        ({"limit": 5}, {"limit": 5}),
        ({"limit": "default"}, {"limit": None}),
        ({"global_limit": "none"}, {"global_limit": float("inf")}),
        ({"rate": "default"}, {"rate_limit": None}),
    ],
)
async def test_limits_are_read(said: dict[str, Any], limits: dict[str, Any]) -> None:
    """A limit is a number, the default of the settings, or none at all."""
    console = Console()
    async with program(console) as client:
        await client.post("queues/mail/scale", json=said)

    [(_, _, (_, _, told))] = console.acts
    assert told == limits


async def test_limit_keeps_what_it_is_partitioned_by() -> None:
    """A new number for a limit leaves in force for whom it holds each."""

    class Partitioned(Console):
        async def queue(self, key: str) -> QueueState:
            return QueueState(key=key, name=key, server="x", global_limit=GlobalLimit(2, "args.tenant"))

    console = Partitioned()
    async with program(console) as client:
        await client.post("queues/mail/scale", json={"global_limit": 7})

    [(_, _, (_, _, told))] = console.acts
    assert told == {"global_limit": GlobalLimit(7, "args.tenant")}


@pytest.mark.parametrize(
    "said",
    [{"limit": 0}, {"limit": "none"}, {"limit": "-1"}, {"rate": "5"}, {"rate": "x/y"}, {"rate": "0/1s"}],
)
async def test_limits_that_cannot_be_are_refused(said: dict[str, Any]) -> None:
    """A limit that cannot be is refused, with what it may be."""
    console = Console()
    async with program(console) as client:
        answer = await client.post("queues/mail/scale", json=said)

    assert answer.status_code == 422
    assert "must be" in answer.json()["error"]["message"]
    assert console.acts == []


async def test_scale_for_autoscalers() -> None:
    """An autoscaler hears what runs, is ready and is due within a minute, as one number of slots."""

    class Busy(Console):
        async def queue(self, key: str) -> QueueState:
            return QueueState(
                key=key,
                name=key,
                server="x",
                available=30,
                executing=5,
                slots=10,
                oldest=timedelta(seconds=4),
            )

    async with program(Busy(soon=7)) as client:
        answer = await client.get("queues/mail/scale")

    assert answer.json() == {
        "ready": 30,
        "scheduled_due_60s": 7,
        "running": 5,
        "slots": 10,
        "desired_slots": 42,
        "latency_seconds": 4.0,
    }


@pytest.mark.parametrize(
    ("more", "desired"), [({"is_paused": True}, 5), ({"global_limit": GlobalLimit(8)}, 8)]
)
async def test_no_slots_are_wanted_that_could_do_nothing(more: dict[str, Any], desired: int) -> None:
    """A paused queue wants slots for what runs, and a limited one no more than its limit."""

    class Held(Console):
        async def queue(self, key: str) -> QueueState:
            return QueueState(key=key, name=key, server="x", available=30, executing=5, **more)

    async with program(Held(soon=7)) as client:
        answer = await client.get("queues/mail/scale")

    assert answer.json()["desired_slots"] == desired


async def test_redis_that_is_away_is_no_empty_queue() -> None:
    """An autoscaler hears of an outage, and does not take it for a queue without work."""

    class Away(Console):
        async def queue(self, key: str) -> QueueState:
            return QueueState(key=key, name=key, server="x", error="connection refused")

    async with program(Away()) as client:
        answer = await client.get("queues/mail/scale")

    assert answer.status_code == 503


async def test_document_has_every_route() -> None:
    """The OpenAPI document has each route of the API with its methods, and nothing else."""
    app = dashboard()
    async with browser(app, "reader") as client:
        told = (await client.get(f"{API}/openapi.json")).json()

    routes = [route for route in app.routes if isinstance(route, GuardedRoute) and route.path.startswith(API)]
    is_there = {
        (route.path, method.lower()) for route in routes for method in (route.methods or set()) - {"HEAD"}
    }
    assert {(path, method) for path, methods in told["paths"].items() for method in methods} == is_there
    assert told["openapi"] == "3.1.0"


async def test_document_holds_together() -> None:
    """Each schema that is named is there, each operation has a name of its own, each path its parameters."""
    async with program() as client:
        text = (await client.get("openapi.json")).text
    told = json.loads(text)

    schemas = told["components"]["schemas"]
    assert schemas["LedgerInfo"]["properties"]["lag"]["default"] == 0
    assert {"now_is_exact", "past_is_exact"} <= schemas["Overview"]["properties"].keys()
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    operations = [one for methods in told["paths"].values() for one in methods.values()]
    assert named <= schemas.keys()
    assert {"JobPage", "QueueState", "Deed", "Error", "ManyJobs"} <= schemas.keys()
    assert len({one["operationId"] for one in operations}) == len(operations)
    for path, methods in told["paths"].items():
        for one in methods.values():
            assert re.findall(r"{(\w+)}", path) == [p["name"] for p in one["parameters"] if p["in"] == "path"]


async def test_arguments_are_not_told_to_those_who_do_not_see_them() -> None:
    """Who does not see arguments sees none in lists and jobs, and cannot find them out by asking for them."""
    console = Console(text="SECRET")
    job = console.jobs_[0]
    access = Access("ada", shows_arguments=False)
    async with browser(dashboard(console, auth=lambda _: access)) as client:
        listed = (await client.get(f"{API}/jobs")).json()
        shown = await client.get(f"{API}/jobs/{job.queue}/{job.id}")
        asked = await client.get(f"{API}/jobs?q=arg.user_id:42")
        counted = await client.get(f"{API}/jobs/count?q=meta.tenant:x")

    assert {line["arguments"] for line in listed["jobs"]} == {""}
    told = shown.json()
    assert (told["args"], told["kwargs"], told["meta"], told["logs"]) == ([], {}, {}, [])
    assert told["is_redacted"] is True
    assert (asked.status_code, counted.status_code) == (422, 422)
