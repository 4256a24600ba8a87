"""`jobs_router`: what a browser learns of its jobs, and what it may do to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import fastapi_toys as toys
import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi_toys import Running

from arqlite import ArqRedis, Worker
from arqlite.errors import ConfigurationError
from arqlite.fastapi import jobs_router, lifespan
from arqlite.fastapi.routes import events
from arqlite.fastapi.status import jsonable, status_of

MakeWorker = Callable[..., Worker]


async def test_accepted_job_is_referred_to(running: Running) -> None:
    """A request that makes a job is answered with its id and where to ask, also as `Location`."""
    answer = await running.client.post("/doubles?number=4")

    ref = answer.json()
    assert answer.status_code == 202
    assert ref["status_url"] == answer.headers["Location"] == f"/jobs/{ref['job_id']}"
    assert ref["events_url"] == f"/jobs/{ref['job_id']}/events"
    assert ref["queue"] == "arq:queue"


async def test_job_of_another_queue_says_which(running: Running) -> None:
    """The URL of a job that is not in the first queue names its queue, and leads to it."""
    ref = (await running.client.post("/letters?number=4")).json()

    told = (await running.client.get(ref["status_url"])).json()

    assert ref["status_url"].endswith("?queue=mail")
    assert (told["job_id"], told["queue"], told["state"]) == (ref["job_id"], "mail", "available")


async def test_job_is_found_without_its_queue(running: Running) -> None:
    """Who does not name the queue of a job is answered all the same."""
    ref = (await running.client.post("/letters?number=4")).json()

    told = (await running.client.get(f"/jobs/{ref['job_id']}")).json()

    assert told["queue"] == "mail"


async def test_strange_names_are_found(arq_redis: ArqRedis) -> None:
    """An id and a queue of one's own may have any letters; the URLs lead to the job all the same."""
    queue = ArqRedis(arq_redis.connection_pool, default_queue_name="mail & co?")
    app = toys.application(arq_redis, queue)

    @app.post("/strange")
    async def strange(refer: toys.Refer) -> toys.JobRef:
        return refer(await queue.options(job_id="a b?c#d%20ü").enqueue(toys.double, 1))

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client,
    ):
        ref = (await client.post("/strange")).json()
        told = (await client.get(ref["status_url"])).json()

    assert (told["job_id"], told["queue"]) == ("a b?c#d%20ü", "mail & co?")


async def test_slash_in_an_id_is_told(running: Running) -> None:
    """An id with a slash fits into no path, which is said in words."""

    @running.app.post("/slashes")
    async def slash(jobs: toys.Jobs, refer: toys.Refer) -> toys.JobRef:
        return refer(await jobs.options(job_id="a/b").enqueue(toys.double, 1))

    with pytest.raises(ConfigurationError, match="has a slash"):
        await running.client.post("/slashes")


async def test_path_of_a_proxy_is_kept(running: Running) -> None:
    """Behind a proxy that strips a prefix the URLs have that prefix."""
    transport = httpx.ASGITransport(running.app, root_path="/shop")
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test/shop") as client:
        answer = await client.post("/doubles?number=4")

    assert answer.headers["Location"].startswith("/shop/jobs/")


async def test_status_before_and_after(running: Running, make_worker: MakeWorker) -> None:
    """A job is available first; when it has ended, its result and its last progress are told."""
    ref = (await running.client.post("/doubles?number=4")).json()
    before = (await running.client.get(ref["status_url"])).json()
    await make_worker(toys.FUNCTIONS).async_run()
    after = (await running.client.get(ref["status_url"])).json()

    assert (before["state"], before["result"], before["progress"]) == ("available", None, None)
    assert (after["state"], after["result"], after["attempt"]) == ("completed", 8, 1)
    assert after["progress"]["fraction"] == 0.5
    assert after["finished_at"] is not None


async def test_error_is_told(running: Running, make_worker: MakeWorker) -> None:
    """Of a job that failed it is told with what."""
    job = await running.pool.enqueue(toys.fail)
    await make_worker(toys.FUNCTIONS).async_run()

    told = (await running.client.get(f"/jobs/{job.job_id}")).json()

    assert (told["state"], told["error"], told["result"]) == ("discarded", "ValueError: no paper", None)


async def test_errors_may_be_kept_back(running: Running, make_worker: MakeWorker) -> None:
    """With `shows_errors=False` nobody learns why a job failed."""
    running.app.include_router(jobs_router("/quiet", shows_errors=False))
    job = await running.pool.enqueue(toys.fail)
    await make_worker(toys.FUNCTIONS).async_run()

    told = (await running.client.get(f"/quiet/{job.job_id}")).json()
    followed = (await running.client.get(f"/quiet/{job.job_id}/events")).text

    assert (told["state"], told["error"]) == ("discarded", None)
    assert "paper" not in followed


async def test_routes_are_documented(running: Running) -> None:
    """The OpenAPI document has all three, and what the stream is."""
    paths = (await running.client.get("/openapi.json")).json()["paths"]

    assert sorted(paths["/jobs/{job_id}"]) == ["delete", "get"]
    assert "text/event-stream" in paths["/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize(
    "path", ["/jobs/none", "/jobs/none/events", "/jobs/none?queue=mail", "/jobs/x?queue=y"]
)
async def test_unknown_job_is_404(running: Running, path: str) -> None:
    """A job or a queue that nobody knows is not found, in words."""
    answer = await running.client.get(path)

    assert answer.status_code == 404
    assert "there is no job" in answer.json()["detail"]


@pytest.mark.parametrize(("verb", "tail"), [("GET", ""), ("GET", "/events"), ("DELETE", "")])
async def test_dependencies_are_asked_by_each_route(running: Running, verb: str, tail: str) -> None:
    """What `dependencies` refuses is refused everywhere."""
    job = await running.pool.enqueue(toys.double, 1)

    answer = await running.client.request(verb, f"/jobs/{job.job_id}{tail}?name=eve")

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("options", "is_there"),
    [
        ({}, False),
        ({"allow_cancel": True}, True),
        ({"dependencies": [Depends(toys.someone)]}, True),
        ({"dependencies": [Depends(toys.someone)], "allow_cancel": False}, False),
    ],
)
def test_nobody_cancels_unless_it_is_said_who_may(options: dict[str, Any], is_there: bool) -> None:
    """Where nobody is asked who he is, jobs can be looked at and not cancelled."""
    app = FastAPI()
    app.include_router(jobs_router(**options))

    assert ("delete" in app.openapi()["paths"]["/jobs/{job_id}"]) is is_there


@pytest.mark.parametrize("job_id", ["a%00b", "x" * 600])
@pytest.mark.parametrize(("verb", "tail"), [("GET", ""), ("GET", "/events"), ("DELETE", "")])
async def test_id_that_no_job_can_have_is_404(running: Running, verb: str, tail: str, job_id: str) -> None:
    """An id with a NUL, or of too many letters, is one of no job, and told in few words."""
    answer = await running.client.request(verb, f"/jobs/{job_id}{tail}")

    assert answer.status_code == 404
    assert len(answer.json()["detail"]) < 200


async def test_waiting_job_is_cancelled(running: Running) -> None:
    """A job that waits is cancelled at once; a second time it has ended already."""
    job = await running.pool.enqueue(toys.double, 1)

    first = await running.client.delete(f"/jobs/{job.job_id}")
    second = await running.client.delete(f"/jobs/{job.job_id}")

    assert (first.status_code, first.json()["state"]) == (202, "cancelled")
    assert second.status_code == 409
    assert "it is cancelled" in second.json()["detail"]


async def test_running_job_is_cancelled_by_its_worker(
    running: Running, make_worker: MakeWorker, eventually: Any
) -> None:
    """Of a job that runs it is answered at once that its worker was asked, and it ends soon."""
    job = await running.pool.enqueue(toys.wait)
    worker = make_worker(toys.FUNCTIONS, allow_abort_jobs=True)
    working = asyncio.create_task(worker.async_run())
    await eventually(lambda: job.job_id in worker.tasks)

    answer = await running.client.delete(f"/jobs/{job.job_id}")
    await working

    assert (answer.status_code, answer.json()["state"] in ("executing", "cancelled")) == (202, True)
    assert (await running.client.get(f"/jobs/{job.job_id}")).json()["state"] == "cancelled"


async def test_events_of_a_job_until_its_end(running: Running, make_worker: MakeWorker) -> None:
    """The stream tells the state of now, each progress, and at the end the result."""
    job = await running.pool.enqueue(toys.double, 21)
    following = asyncio.create_task(running.client.get(f"/jobs/{job.job_id}/events"))
    working = asyncio.create_task(make_worker(toys.FUNCTIONS).async_run())

    answer = await following
    await working

    events = toys.events_of(answer.text)
    names = [name for name, _ in events]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (names[0], names[-1]) == ("status", "end")
    assert set(names[1:-1]) == {"progress"}
    assert (events[-1][1]["state"], events[-1][1]["result"]) == ("completed", 42)


async def test_events_of_a_job_that_had_ended(running: Running, make_worker: MakeWorker) -> None:
    """Who comes too late for a short job is told its end all the same."""
    job = await running.pool.enqueue(toys.double, 21)
    await make_worker(toys.FUNCTIONS).async_run()

    events = toys.events_of((await running.client.get(f"/jobs/{job.job_id}/events")).text)

    assert [(name, data["result"]) for name, data in events] == [("status", 42), ("end", 42)]


async def test_one_follower_too_many_is_refused(running: Running) -> None:
    """More streams than `max_streams` are told to come later, and the others go on."""
    running.app.include_router(jobs_router("/few", max_streams=1))
    job = await running.pool.enqueue(toys.double, 21)
    asking = [asyncio.create_task(running.client.get(f"/few/{job.job_id}/events")) for _ in range(2)]

    [refused], [followed] = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    await running.client.delete(f"/jobs/{job.job_id}")

    assert (refused.result().status_code, refused.result().headers["Retry-After"]) == (503, "10")
    assert toys.events_of((await followed).text)[-1][0] == "end"


async def test_end_of_a_job_that_is_not_kept(running: Running, make_worker: MakeWorker) -> None:
    """Of a job whose result is not kept, the stream tells that it is gone."""
    job = await running.pool.enqueue(toys.double, 21)
    first = await status_of(running.pool, job.job_id, shows_errors=True)
    assert first is not None
    stream = events(running.pool, first, shows_errors=True)
    begun = await anext(stream)
    await make_worker(toys.FUNCTIONS, keep_result=0).async_run()

    told = [begun, *[one async for one in stream]]

    [*_, (name, data)] = toys.events_of(b"".join(told).decode())
    assert (name, data["state"]) == ("end", None)


def test_result_that_is_no_json_is_told_as_text() -> None:
    """A result that only Python knows does not make the answer fail."""
    told = jsonable({"what": object(), "many": {3}})

    assert told["what"].startswith("<object")
    assert told["many"] == [3]


async def test_router_without_lifespan_says_what_to_do() -> None:
    """An application whose lifespan opened no queues is told so in words."""
    app = FastAPI()
    app.include_router(jobs_router())
    transport = httpx.ASGITransport(app)

    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        with pytest.raises(
            ConfigurationError, match=r"lifespan=arqlite\.fastapi\.lifespan\(WorkerSettings\)"
        ):
            await client.get("/jobs/x")


async def test_reference_without_router_says_what_to_do(running: Running) -> None:
    """A JobRef in an application without the routes is refused in words."""
    app = toys.application(running.pool, router=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client,
    ):
        with pytest.raises(ConfigurationError, match="include_router"):
            await client.post("/doubles?number=1")


async def test_reference_to_an_unknown_queue_says_what_to_do(running: Running) -> None:
    """A job that went where the lifespan knows nothing of cannot be referred to, in words."""
    app = FastAPI(lifespan=lifespan(running.mail))
    app.include_router(jobs_router())

    @app.post("/strays")
    async def stray(jobs: toys.Jobs, refer: toys.Refer) -> toys.JobRef:
        return refer(await jobs.options(queue="attic").enqueue(toys.double, 1))

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test") as client,
    ):
        with pytest.raises(ConfigurationError, match="queue 'attic'"):
            await client.post("/strays")
