"""The jobs page: a URL for every view, words for every mistake."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from dashboard_toys import DEFAULT, MAIL, FakeConsole, pages_app, visitor

from arqlite.dashboard import ADMIN, Access


def links(page: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'href="([^"]*)"', page)]


def ids(page: str) -> list[str]:
    return re.findall(r'<tr id="job-([^"]+)"', page)


def queries(page: str) -> list[str]:
    return [parse_qs(urlsplit(href).query).get("q", [""])[0] for href in links(page) if "/jobs?" in href]


async def test_words_of_the_filter_can_be_taken_out_one_by_one() -> None:
    """Each word of a query has a link to the same list without it."""
    async with visitor(pages_app()) as client:
        page = (await client.get("/jobs", params={"q": f"state:discarded queue:{MAIL} -tag:vip"})).text

    assert f"queue:{MAIL} -tag:vip" in queries(page)
    assert "state:discarded -tag:vip" in queries(page)
    assert f"state:discarded queue:{MAIL}" in queries(page)


async def test_rail_changes_the_state_and_keeps_the_rest() -> None:
    """A state of the rail leads to the same query with that state."""
    async with visitor(pages_app()) as client:
        page = (await client.get("/jobs", params={"q": f"queue:{MAIL} state:discarded cause:TIMEOUT"})).text

    assert f"queue:{MAIL} state:completed" in queries(page)
    assert f"queue:{MAIL}" in queries(page)
    assert f"queue:{MAIL} state:discarded cause:LOST" in queries(page)


async def test_rail_knows_the_causes_of_failures() -> None:
    """Jobs that may not run again fail with their worker: that is a cause beside the others."""
    async with visitor(pages_app()) as client:
        failed = queries((await client.get("/jobs", params={"q": "state:discarded"})).text)
        cancelled = queries((await client.get("/jobs", params={"q": "state:cancelled"})).text)

    assert "state:discarded cause:SHUTDOWN" in failed
    assert "state:cancelled cause:SHUTDOWN" not in cancelled


async def test_job_without_a_function_can_be_opened() -> None:
    """A row that does not tell its function is a link by the id of its job."""
    console = FakeConsole()
    console.jobs_ = [replace(console.jobs_[0], function="")]
    async with visitor(pages_app(console)) as client:
        page = (await client.get("/jobs")).text

    assert f">{console.jobs_[0].id}</a>" in page


async def test_rail_has_counts_that_say_how_sure_they_are() -> None:
    """Counts are capped, and look so."""
    async with visitor(pages_app()) as client:
        page = (await client.get("/jobs")).text

    assert "100\u202f000+" in page
    assert "≈\u202f1\u202f284\u202f101" in page


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"q": "stat:discarded"}, "did you mean"),
        ({"q": "state:broken"}, "broken"),
        ({"q": "queue:maill"}, "There is no queue"),
        ({"after": "nonsense"}, "no cursor"),
    ],
)
async def test_mistakes_are_told_beside_the_filter(asked: dict[str, str], words: str) -> None:
    """What cannot be read leaves the page as it is, with the words of the error and what was typed."""
    async with visitor(pages_app()) as client:
        answer = await client.get("/jobs", params=asked)

    assert answer.status_code == 400
    assert words in re.search(r'id="q-error" role="alert">([^<]+)<', answer.text)[1]  # type: ignore[index]
    assert f'value="{asked.get("q", "")}"' in answer.text


async def test_pages_go_on_where_the_last_one_ended() -> None:
    """Following "Older" shows every job once, and ends."""
    console, seen = FakeConsole(), []
    path = "/jobs?limit=25"
    async with visitor(pages_app(console)) as client:
        while path:
            page = (await client.get(path)).text
            seen += ids(page)
            path = unescape(next(iter(re.findall(r'href="([^"]+)" rel="next"', page)), ""))

    assert len(seen) == len(set(seen)) == len(console.jobs_)


async def test_columns_are_those_of_the_url_and_then_of_this_browser() -> None:
    """Chosen columns stay with the browser, and a URL overrides them."""
    async with visitor(pages_app()) as client:
        chosen = (
            await client.get("/jobs", params=[("cols", "id"), ("cols", "worker"), ("cols", "<b>")])
        ).text
        later = (await client.get("/jobs")).text
        linked = (await client.get("/jobs?cols=tags,when")).text

    heads = [re.findall(r'<th scope="col"[^>]*>([^<]+)</th>', page) for page in (chosen, later, linked)]
    assert heads[0] == heads[1] == ["State", "Job", "Worker", "Id"]
    assert heads[2] == ["State", "Job", "When", "Tags"]


async def test_selection_is_sent_without_a_script() -> None:
    """Checked rows and a button are a plain form, which does it to those jobs."""
    console = FakeConsole()
    async with visitor(pages_app(console, Access("ada", can=ADMIN.can))) as client:
        page = (await client.get("/jobs?q=state:discarded")).text
        picked = [unescape(value) for value in re.findall(r'form="bulk" name="job" value="([^"]+)"', page)][
            :2
        ]
        answer = await client.post("/jobs/bulk", data={"verb": "retry", "job": picked})

    assert answer.status_code == 303
    [(by, verb, query)] = console.acts
    assert (by, verb) == ("ada", "retry")
    assert [f"{query.get('queue')[0]}/{job}" for job in query.get("id")] == picked


async def test_all_that_match_are_meant_by_their_query() -> None:
    """The form for all has the query itself, and none where everything would match."""
    async with visitor(pages_app()) as client:
        some = (await client.get("/jobs", params={"q": f"queue:{DEFAULT} state:available"})).text
        everything = (await client.get("/jobs")).text

    assert f'<input type="hidden" name="q" value="queue:{DEFAULT} state:available">' in some
    assert "that match" not in everything


@pytest.mark.parametrize("q", ["status:CANCELLED", "-state:completed,discarded", "state:available,executing"])
async def test_all_that_match_are_as_many_as_the_query_means(q: str) -> None:
    """The number of those that match is that of the query, however it says in which states they are."""
    console = FakeConsole()
    async with visitor(pages_app(console)) as client:
        page = (await client.get("/jobs", params={"q": q})).text

    meant = {
        "status:CANCELLED": {"cancelled"},
        "-state:completed,discarded": {
            "available", "scheduled", "retryable", "suspended", "executing", "cancelled",
        },
        "state:available,executing": {"available", "executing"},
    }[q]  # fmt: skip
    count = sum(job.state in meant for job in console.jobs_)
    assert f"<summary>All {count} that match</summary>" in page


@pytest.mark.parametrize(
    ("q", "words"),
    [
        (f"queue:{DEFAULT}", "Those that are discarded, cancelled or retryable"),
        (f"queue:{DEFAULT} state:completed", ""),
    ],
)
async def test_buttons_for_all_say_which_they_mean(q: str, words: str) -> None:
    """Where the query names no state, each button for all says in which ones its jobs are."""
    async with visitor(pages_app()) as client:
        page = (await client.get("/jobs", params={"q": q})).text

    [title] = re.findall(r'name="verb" value="retry" class=""(?: title="([^"]*)")?>Retry all<', page)
    assert title == words


async def test_many_jobs_are_asked_for_first() -> None:
    """More than fifty jobs are shown a page that wants their number typed, and then it is done."""
    console = FakeConsole()
    async with visitor(pages_app(console)) as client:
        asked = await client.post("/jobs/bulk", data={"verb": "delete", "q": "state:completed"})
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
        before = list(console.acts)
        count = re.findall(r"Type <code>(\d+)</code>", asked.text)[0]
        sent = await client.post("/jobs/bulk", data={**hidden, "confirm": count})

    assert (asked.status_code, before, sent.status_code) == (422, [], 303)
    assert int(count) > 50
    assert [verb for _, verb, _ in console.acts] == ["delete"]


async def test_arguments_are_not_shown_to_those_who_may_not_see_them() -> None:
    """Without that right there is not a value of them in a list or on the page of a job."""
    blind = Access("kim", can=ADMIN.can, shows_arguments=False)
    console = FakeConsole()
    job = console.jobs_[0]
    async with visitor(pages_app(console, blind)) as client:
        pages = [(await client.get(path)).text for path in ("/jobs", f"/jobs/{job.queue}/{job.id}")]

    assert not [page for page in pages if "example.com" in page or "12345678901234567890123" in page]
    assert "not shown to you" in pages[1]
