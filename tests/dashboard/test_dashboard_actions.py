"""Forms of the dashboard: something is done, and the page one came from says what."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx
import pytest
from dashboard_toys import SLASHED
from guard_toys import HERE, SAME_ORIGIN, Console, browser, dashboard

from arqlite.console import Query, Tally
from arqlite.console.views import Precision
from arqlite.dashboard import ADMIN, Access
from arqlite.dashboard.links import pair


def flash_of(answer: httpx.Response) -> str:
    return unquote(answer.cookies.get("arqlite_flash", ""))


def user(console: Console, **options: object) -> httpx.AsyncClient:
    return browser(dashboard(console, **options), "admin", **SAME_ORIGIN)


async def test_action_goes_back_and_says_what_was_done() -> None:
    """A form answers with the page it was on, which shows once what became of it."""
    console = Console()
    async with user(console) as client:
        answer = await client.post("/queues/mail/pause", headers={"Referer": f"{HERE}/queues?x=1"})
        first = await client.get(answer.headers["location"])
        second = await client.get(answer.headers["location"])

    assert (answer.status_code, answer.headers["location"]) == (303, "/queues?x=1")
    assert console.acts == [("admin", "pause", "mail")] or console.acts[0][1] == "pause"
    assert "Paused mail." in first.text
    assert "Paused mail." not in second.text


async def test_stop_says_what_becomes_of_jobs() -> None:
    """Running jobs are not let end unless the settings say so: nobody is told that they are."""
    async with user(Console()) as client:
        answer = await client.post("/queues/mail/stop", data={"node": "host-1"})
        page = await client.get(answer.headers["location"])

    assert "Told the workers of mail on host-1 to end: what runs has their job_completion_wait" in page.text
    assert "goes back to the queue" in page.text


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "javascript:alert(1)",
        "http://[",
        "http://[::1/queues",
        "http://localhost:8484@evil.example/",
        "",
    ],
)
async def test_back_is_never_another_site(back: str) -> None:
    """Wherever a form says it was: one goes back to a page of this dashboard."""
    async with user(Console()) as client:
        answer = await client.post("/queues/mail/pause", data={"back": back}, headers={"Referer": back})

    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("verb", ["retry", "cancel", "delete"])
async def test_one_job(verb: str) -> None:
    """A verb of a job is done to that job and to no other."""
    console = Console()
    job = console.jobs_[0]
    async with user(console) as client:
        answer = await client.post(f"/jobs/{job.queue}/{job.id}/{verb}")

    assert answer.status_code == 303
    [(_, done, query)] = console.acts
    assert (done, query.get("id"), query.get("queue")) == (verb, (job.id,), (job.queue,))
    assert job.id in flash_of(answer)


async def test_deleted_job_has_no_page_to_go_back_to() -> None:
    """After a job was deleted one is led to the jobs."""
    console = Console()
    job = console.jobs_[0]
    page = f"/jobs/{job.queue}/{job.id}"
    async with user(console) as client:
        answer = await client.post(f"{page}/delete", headers={"Referer": HERE + page})

    assert answer.headers["location"] == "/jobs"


async def test_queue_with_slashes_in_its_key() -> None:
    """Keys of queues may have slashes and colons in them, in paths and in fields."""
    console = Console()
    app = dashboard(console)
    async with browser(app, "admin", **SAME_ORIGIN) as client:
        paused = await client.post("/queues/" + SLASHED.replace("/", "%252F") + "/pause")
        chosen = await client.post("/jobs/bulk", data={"verb": "retry", "job": [pair(SLASHED, "a/b")]})

    assert (paused.status_code, chosen.status_code) == (303, 303)
    assert console.acts[0][1] == "pause"
    assert console.acts[1][2].get("queue") == (SLASHED,)
    assert console.acts[1][2].get("id") == ("a/b",)


async def test_selection_is_done_queue_by_queue() -> None:
    """Chosen jobs are meant by queue and id, each once, and nothing else is."""
    console = Console()
    chosen = ["mail/1", "default/2", "mail/3", "mail/1"]
    async with user(console) as client:
        await client.post("/jobs/bulk", data={"verb": "cancel", "job": chosen})

    queries = [query for _, _, query in console.acts]
    assert [(query.get("queue"), query.get("id")) for query in queries] == [
        (("mail",), ("1", "3")),
        (("default",), ("2",)),
    ]


async def test_many_jobs_have_to_be_typed() -> None:
    """More than fifty jobs are asked for: a page says how many, and sends the same form again."""
    console = Console()
    form = {"verb": "retry", "job": [f"mail/{number}" for number in range(51)]}
    async with user(console) as client:
        asked = await client.post("/jobs/bulk", data=form)
        wrong = await client.post("/jobs/bulk", data={**form, "confirm": "40"})
        nothing = list(console.acts)
        done = await client.post("/jobs/bulk", data={**form, "confirm": "51"})

    assert (asked.status_code, wrong.status_code, done.status_code) == (422, 422, 303)
    assert "Retry 51 jobs" in asked.text
    assert asked.text.count('name="job"') == 51
    assert nothing == []
    assert len(console.acts) == 1


async def test_great_selection_is_done_part_by_part() -> None:
    """More jobs are chosen at once than one word of a query may have: each is meant once."""
    console = Console()
    form = {"verb": "retry", "confirm": "1200", "job": [f"mail/{number}" for number in range(1200)]}
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data=form)

    parts = [query.get("id") for _, _, query in console.acts]
    assert answer.status_code == 303
    assert [len(part) for part in parts] == [500, 500, 200]
    assert len({one for part in parts for one in part}) == 1200


async def test_fifty_jobs_need_no_typing() -> None:
    """Up to fifty jobs are done at once."""
    console = Console()
    async with user(console) as client:
        answer = await client.post(
            "/jobs/bulk", data={"verb": "retry", "job": [f"mail/{number}" for number in range(50)]}
        )

    assert answer.status_code == 303


@pytest.mark.parametrize(("typed", "status"), [("", 422), ("delete", 303), ("110", 303), ("60", 422)])
async def test_all_that_match_have_to_be_typed(typed: str, status: int) -> None:
    """All that a query means need their number or the verb; jobs that came meanwhile are meant, too."""
    console = Console()
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "delete", "q": "attempt:>0", "confirm": typed})

    assert answer.status_code == status
    assert len(console.acts) == (status == 303)


@pytest.mark.parametrize("q", ["attempt:>0", "attempt:>0 -state:cancelled"])
async def test_what_went_well_is_not_among_all_that_are_retried(q: str) -> None:
    """A query without a state means failed and cancelled jobs: so many are to be typed, and it is said."""
    console = Console()
    meant = {"discarded", "retryable"} | ({"cancelled"} if "-state" not in q else set())
    console.jobs_ += [job for job in console.jobs_ if job.state == "discarded"] * 8
    count = sum(job.state in meant for job in console.jobs_)
    async with user(console) as client:
        asked = await client.post("/jobs/bulk", data={"verb": "retry", "q": q})
        done = await client.post("/jobs/bulk", data={"verb": "retry", "q": q, "confirm": str(count)})

    words = "discarded, cancelled or retryable" if "-state" not in q else "discarded or retryable"
    assert f"Retry {count} jobs?" in asked.text
    assert f"those that are {words}" in asked.text
    assert f"only those that are {words} were meant" in flash_of(done)


async def test_jobs_in_no_state_for_it_need_no_typing() -> None:
    """Nobody has to type the number of jobs to which it cannot be done anyway."""
    console = Console()
    console.jobs_ += [job for job in console.jobs_ if job.state == "completed"] * 8
    async with user(console) as client:
        done = await client.post("/jobs/bulk", data={"verb": "cancel", "q": "state:completed"})

    assert done.status_code == 303


async def test_states_that_a_query_names_are_not_told_again() -> None:
    """Who names the states hears how many there were, and nothing of states."""
    async with user(Console()) as client:
        done = await client.post(
            "/jobs/bulk", data={"verb": "retry", "q": "state:completed", "confirm": "retry"}
        )

    assert "meant" not in flash_of(done)


@pytest.mark.parametrize("precision", ["at least", "about"])
@pytest.mark.parametrize(("typed", "status"), [("", 422), ("0", 422), ("7", 422), ("delete", 303)])
async def test_number_that_nobody_knows_is_confirmed_by_the_verb(
    precision: Precision, typed: str, status: int
) -> None:
    """A count that stopped early may be of any number of jobs: however few it names, the verb is typed."""

    class Vague(Console):
        async def count(self, query: Query) -> Tally:
            return Tally(0, precision)

    console = Vague()
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "delete", "q": "error:x", "confirm": typed})

    assert answer.status_code == status
    assert len(console.acts) == (status == 303)
    assert status == 303 or f"Delete {precision} 0 jobs" in answer.text


@pytest.mark.parametrize(("counted", "typed", "most"), [(7, "", 50), (110, "delete", 100)])
async def test_no_more_is_done_than_may_be(counted: int, typed: str, most: int) -> None:
    """Jobs that came since they were counted are left alone: what was not typed is done to few."""

    class Growing(Console):
        async def count(self, query: Query) -> Tally:
            return Tally(min(counted, 100))

    console = Growing()
    async with user(console, bulk_limit=100) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "delete", "q": "attempt:>0", "confirm": typed})

    assert answer.status_code == 303
    assert console.limits == [most]
    assert f"Deleted {most} jobs. More are left" in flash_of(answer)


async def test_queue_that_could_not_be_asked_is_told() -> None:
    """What was done to the jobs of the others is told, and which queue was not asked."""
    console = Console(silent=["reports"])
    count = sum(job.state == "available" for job in console.jobs_)
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "cancel", "q": "state:available"})

    assert flash_of(answer) == f"Cancelled {count} jobs; queue reports could not be asked."


async def test_selection_is_done_where_a_redis_answers() -> None:
    """Of chosen jobs those are done whose Redis answers; where none does, that is said and no more."""
    console = Console(silent=["mail"])
    jobs = [next(job for job in console.jobs_ if job.queue == key) for key in ("default", "mail")]
    chosen = [pair(job.queue, job.id) for job in jobs]
    async with user(console) as client:
        some = await client.post("/jobs/bulk", data={"verb": "cancel", "job": chosen})
        none = await client.post("/jobs/bulk", data={"verb": "cancel", "job": chosen[1:]})

    assert flash_of(some) == "Cancelled 1 job; queue mail could not be asked."
    assert none.status_code == 503


async def test_question_without_words_means_nothing() -> None:
    """A form that means all jobs there are is refused."""
    console = Console()
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "delete", "q": " ", "confirm": "delete"})

    assert answer.status_code == 422
    assert console.acts == []


async def test_limit_of_one_request_holds() -> None:
    """No more jobs are meant at once than the dashboard was made for."""
    console = Console()
    async with user(console, bulk_limit=10) as client:
        chosen = await client.post(
            "/jobs/bulk", data={"verb": "retry", "job": [f"mail/{number}" for number in range(11)]}
        )
        matching = await client.post(
            "/jobs/bulk", data={"verb": "retry", "q": "attempt:>0", "confirm": "retry"}
        )

    assert (chosen.status_code, matching.status_code) == (422, 422)
    assert console.acts == []


@pytest.mark.parametrize(("typed", "status"), [("", 422), ("mai", 422), ("mail", 303)])
async def test_purge_has_to_be_typed(typed: str, status: int) -> None:
    """A queue is purged when its key was typed; the page that asks tells how many jobs wait."""
    console = Console()
    async with user(console) as client:
        answer = await client.post("/queues/mail/purge", data={"confirm": typed})

    assert answer.status_code == status
    assert [verb for _, verb, _ in console.acts] == (["purge"] if status == 303 else [])


async def test_purge_of_a_queue_with_slashes_can_be_typed_again() -> None:
    """The page that asks leads to where the first form went, however the queue is called."""
    console = Console()
    async with user(console) as client:
        asked = await client.post(
            f"/queues/{SLASHED.replace('/', '%252F')}/purge", data={"confirm": "reports"}
        )
        [action] = re.findall(r'<form method="post" action="([^"]+)" class="stack">', asked.text)
        answer = await client.post(action, data={"confirm": SLASHED})

    assert (asked.status_code, answer.status_code) == (422, 303)
    assert [verb for _, verb, _ in console.acts] == ["purge"]


async def test_bulk_needs_the_right_of_its_verb() -> None:
    """Who may retry cannot delete by the same form."""
    console = Console()
    app = dashboard(console, auth=lambda _: Access("ada", can=frozenset({"jobs.retry"})))
    async with browser(app, **SAME_ORIGIN) as client:
        refused = await client.post("/jobs/bulk", data={"verb": "delete", "job": "mail/1"})
        unknown = await client.post("/jobs/bulk", data={"verb": "explode", "job": "mail/1"})
        done = await client.post("/jobs/bulk", data={"verb": "retry", "job": "mail/1"})

    assert (refused.status_code, unknown.status_code, done.status_code) == (403, 404, 303)
    assert [verb for _, verb, _ in console.acts] == ["retry"]


async def test_selection_cannot_name_a_queue_that_is_not_seen() -> None:
    """A form that was made by hand reaches no queue that its sender does not see."""
    console = Console()
    app = dashboard(console, auth=lambda _: Access("ada", can=ADMIN.can, queues=("mail",)))
    async with browser(app, **SAME_ORIGIN) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "delete", "job": ["mail/1", "default/2"]})

    assert answer.status_code == 422
    assert console.acts == []


@pytest.mark.parametrize("path", ["/jobs/mail/*/delete", "/jobs/bulk"])
async def test_job_that_is_named_like_a_pattern_takes_no_others_along(path: str) -> None:
    """A job whose id is a star is not all jobs: it is refused while the star means others, too."""

    class Globbing(Console):
        async def count(self, query: Query) -> Tally:
            return Tally(7 if query.get("id") == ("*",) else 1)

    console = Globbing()
    async with user(console) as client:
        refused = await client.post(path, data={"verb": "delete", "job": ["mail/1", "mail/*"]})
        done = await client.post(path.replace("*", "a*"), data={"verb": "delete", "job": ["mail/a*"]})

    assert (refused.status_code, done.status_code) == (422, 303)
    assert [query.get("id") for _, _, query in console.acts] == [("a*",)]


async def test_pattern_is_refused_while_nobody_knows_what_it_means() -> None:
    """Where too many jobs are there to see what a star means, a job that is named so is left alone."""

    class Vague(Console):
        async def count(self, query: Query) -> Tally:
            return Tally(1, "at least")

    console = Vague()
    async with user(console) as client:
        answer = await client.post("/jobs/mail/*/delete")

    assert answer.status_code == 422
    assert console.acts == []


async def test_body_that_is_too_large_is_refused() -> None:
    """A form of many megabytes is refused before it is read to its end."""
    console = Console()
    async with user(console) as client:
        answer = await client.post("/jobs/bulk", data={"verb": "retry", "q": "x" * 5_000_000})

    assert answer.status_code == 413
    assert console.acts == []


async def test_cron_is_run_by_name() -> None:
    """A cron job is run, paused and resumed by the key of its queue and its name."""
    console = Console()
    async with user(console) as client:
        for verb in ("run", "pause", "resume"):
            assert (await client.post(f"/crons/mail/nightly/{verb}")).status_code == 303

    assert [verb for _, verb, _ in console.acts] == ["run_cron", "pause_cron", "resume_cron"]
