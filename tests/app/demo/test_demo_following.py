"""Following jobs through their status URLs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from app.demo import following
from app.demo.client import Accepted, ApiClient
from app.demo.errors import DemoError
from app.demo.following import FollowedJob, Follower


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again without a pause."""
    monkeypatch.setattr(following, "LOOK_SECONDS", 0)


async def test_followed_until_the_end() -> None:
    """A job is asked for until it has ended, is shown in every state, and is counted at each look."""
    answers = iter([{"status": "QUEUED"}, {"status": "RUNNING"}, {"status": "SUCCESS", "duration_ms": 7}])
    shown: list[str] = []
    counted: list[None] = []

    async def count() -> None:
        counted.append(None)

    async with _api(lambda request: httpx.Response(200, json=next(answers))) as api:
        follower = Follower(api, _alive, lambda jobs: shown.append(jobs[0].status), _in(5))
        job = follower.add(_job())
        await follower.until_ended(count)

    assert (job.status, job.seconds) == ("SUCCESS", 0.007)
    assert shown == ["QUEUED", "QUEUED", "RUNNING", "SUCCESS"]
    assert len(counted) == 3


async def test_nobody_waits_for_a_dead_worker() -> None:
    """A process that died ends the wait for its jobs."""

    def died() -> None:
        raise DemoError("the worker died")

    async with _api(lambda request: httpx.Response(200, json={"status": "QUEUED"})) as api:
        follower = Follower(api, died, _ignore, _in(5))
        follower.add(_job())
        with pytest.raises(DemoError, match="the worker died"):
            await follower.until_ended(_nothing)


async def test_time_is_bounded() -> None:
    """Jobs that take too long are named with their state and with the option that gives them longer."""
    async with _api(lambda request: httpx.Response(200, json={"status": "RUNNING"})) as api:
        follower = Follower(api, _alive, _ignore, _in(-1))
        follower.add(_job())
        with pytest.raises(DemoError, match=r"EMAIL_FETCH is RUNNING after 0 s.*--timeout"):
            await follower.until_ended(_nothing)


async def test_error_of_the_api_is_told_in_words() -> None:
    """An answer that is none says what was asked and what came."""
    async with _api(lambda request: httpx.Response(404, json={"detail": "there is no job 1"})) as api:
        with pytest.raises(DemoError, match=r"GET http://test/1 answered 404.*there is no job 1"):
            await api.job("/1")


async def test_api_that_is_not_there_is_told_in_words() -> None:
    """A connection that fails is no traceback, and no health."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    async with _api(refuse) as api:
        assert await api.health() is None
        with pytest.raises(DemoError, match="ConnectError connection refused"):
            await api.trigger_sample()


async def test_pages_are_followed_to_the_last() -> None:
    """All transactions come, however many pages they take."""
    pages: dict[str, dict[str, Any]] = {
        "0": {"items": [{"id": 1}, {"id": 2}], "next": 2},
        "2": {"items": [{"id": 3}], "next": None},
    }

    async with _api(lambda request: httpx.Response(200, json=pages[request.url.params["after"]])) as api:
        found = [item["id"] async for item in api.transactions(account_id=1)]

    assert found == [1, 2, 3]


def _api(answer: Any) -> ApiClient:
    return ApiClient("http://test", transport=httpx.MockTransport(answer))


def _job() -> FollowedJob:
    return FollowedJob(title="EMAIL_FETCH", queue="email", accepted=Accepted("1", "/1"))


def _in(seconds: float) -> float:
    return time.monotonic() + seconds


def _alive() -> None:
    """Nothing died."""


def _ignore(jobs: Sequence[FollowedJob]) -> None:
    """Show nothing."""


async def _nothing() -> None:
    """Count nothing."""
