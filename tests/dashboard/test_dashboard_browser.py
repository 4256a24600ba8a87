"""The dashboard in a real browser: what it looks like, what its script does, and that it works without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from browser_toys import chromium, looking, playwright, served
from dashboard_toys import MAIL, SLASHED, FakeConsole, pages_app
from lacking import part
from starlette.responses import PlainTextResponse

from arqlite.console import JobDetail
from arqlite.dashboard import live, sharing
from arqlite.model.states import JobState

pytestmark = pytest.mark.slow

PATHS = (
    "/", "/jobs", "/jobs?q=state:discarded", "/jobs?q=stat:x", "/errors", "/queues", "/queues/default",
    "/queues/mail", "/crons", "/workers", "/metrics", "/system", "/audit", "/jobs/nope/1",
)  # fmt: skip

PAYLOADS = """
<script>alert(1)</script>
<img src=x onerror=alert(2)>
"><svg onload=alert(3)>
'><svg/onload=alert(4)>
javascript:alert(5)
</title><script>alert(6)</script>
</textarea><img src=x onerror=alert(7)>
<a href=javascript:alert(8)>x</a>
{{7*7}}${7*7}#{7*7}
<iframe srcdoc='<script>alert(9)</script>'>
" autofocus onfocus=alert(10) x="
' onmouseover=alert(11) x='
<details open ontoggle=alert(12)>
<math><mtext></mtext><script>alert(13)</script></math>
--><script>alert(14)</script>
]]><script>alert(15)</script>
<style>@import 'http://evil.example'</style>
<base href=//evil.example/>
<meta http-equiv=refresh content=0;url=//evil.example>
<link rel=stylesheet href=//evil.example/x.css>
<object data=//evil.example>
<embed src=//evil.example>
<form action=//evil.example><button>
\u2028alert(16)
&lt;script&gt;alert(17)&lt;/script&gt;
%3Cscript%3Ealert(18)%3C/script%3E
\\"><script>alert(19)</script>
<ScRiPt>alert(20)</sCrIpT>
<svg><a xlink:href=javascript:alert(21)><text>x</text></a></svg>
<input onfocus=alert(22) autofocus>
<video><source onerror=alert(23)></video>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with served() as url:
        yield url


def job_paths(page: Any) -> list[str]:
    return [link.get_attribute("href") for link in page.locator("table.rows td.job > a").all()]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1024, 1920])
def test_pages_fit_and_complain_of_nothing(browser: Any, origin: str, width: int, theme: str) -> None:
    """At each width, light and dark: nothing in the console, nothing from elsewhere, no sideways scroll."""
    viewport = {"width": width, "height": 900}
    with looking(browser, origin, viewport=viewport, color_scheme=theme) as watched:
        watched.open("/jobs")
        for path in (*PATHS, *job_paths(watched.page)[:12:3]):
            watched.open(path)
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, path

        assert watched.complaints == []


class Faulty:
    """A dashboard that answers with a status only where paths end with one of these words."""

    def __init__(self, status: int, *ends: str) -> None:
        self.status, self.ends, self.whole = status, ends, pages_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_lost = scope["type"] == "http" and scope["path"].endswith(self.ends)
        await (PlainTextResponse("lost", self.status) if is_lost else self.whole)(scope, receive, send)


@pytest.mark.parametrize(("status", "end"), [(404, ".css"), (404, ".js"), (404, ".svg"), (500, "/live")])
def test_failed_part_of_a_page_is_complained_of(browser: Any, status: int, end: str) -> None:
    """What watches pages tells of a style, script, picture or stream that is missing or broken."""
    with served(app=Faulty(status, end)) as origin, looking(browser, origin) as watched:
        with watched.page.expect_response(lambda answer: answer.status == status):
            watched.page.goto(origin + "/")

        assert watched.complaints
        for one in watched.complaints:
            assert one.startswith(f"answer: {status} of {origin}/")
            assert one.partition("?")[0].endswith(end)


def test_page_that_breaks_is_complained_of(browser: Any) -> None:
    """A page may say that it is none, also when its script looks at it again; that it breaks is a fault."""
    faulty = Faulty(500, "/nowhere")
    with served(app=faulty) as origin, looking(browser, origin) as watched:

        def look_again(path: str) -> int:
            with watched.page.expect_response(origin + path) as answer:
                watched.page.keyboard.press(".")
            return int(answer.value.status)

        watched.open("/jobs/nope/1")
        assert look_again("/jobs/nope/1") == 404
        watched.open("/jobs")
        assert look_again("/jobs") == 200
        assert watched.complaints == []

        faulty.ends = ("/jobs", "/errors")
        # What the script had asked for before may still be answered.
        assert 500 in (look_again("/jobs") for _ in range(5))
        watched.page.goto(origin + "/errors")

        assert set(watched.complaints) == {f"answer: 500 of {origin}{path}" for path in faulty.ends}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_have_no_serious_barrier(browser: Any, origin: str, theme: str) -> None:
    """axe finds nothing that keeps somebody from reading or using a page."""
    axe = part("axe_playwright_python.sync_playwright").Axe()
    with looking(browser, origin, color_scheme=theme, bypass_csp=True) as watched:
        watched.open("/jobs")
        found = []
        for path in (*PATHS, job_paths(watched.page)[12]):
            watched.open(path)
            found += [
                f"{path}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:150]}"
                for one in axe.run(watched.page).response["violations"]
                if one["impact"] in {"serious", "critical"}
            ]

    assert found == []


def test_markup_of_users_does_nothing(browser: Any) -> None:
    """Thirty ways to get a script into a page do nothing, even where no policy of the browser would help."""
    with (
        served(console=FakeConsole(text=PAYLOADS)) as origin,
        looking(browser, origin, bypass_csp=True) as watched,
    ):
        watched.open("/jobs?cols=id,by,worker,error,tags")
        for path in (*PATHS, *job_paths(watched.page)[:18]):
            watched.open(path)
            assert (
                watched.page.locator("main script, main iframe, main object, main base, main style").count()
                == 0
            )

        assert watched.complaints == []


def test_reads_and_acts_without_a_script(browser: Any) -> None:
    """With scripts switched off a list is filtered, jobs are chosen and retried, and a queue is paused."""
    console = FakeConsole()
    with (
        served(console=console) as origin,
        looking(browser, origin, java_script_enabled=False) as watched,
    ):
        page = watched.page
        page.goto(origin + "/jobs")
        page.get_by_label("Filter").fill("state:discarded")
        page.get_by_role("button", name="Filter").click()
        page.locator("td.pick input").first.check()
        page.get_by_role("button", name="Retry selected").click()
        said = page.get_by_role("status").inner_text()
        page.get_by_role("link", name="Queues", exact=True).first.click()
        page.get_by_role("button", name="Pause").first.click()

    assert said.startswith("Retried 1 job")
    assert [verb for _, verb, _ in console.acts] == ["retry", "pause"]
    assert watched.complaints == []


def test_clocks_are_of_the_chosen_zone(browser: Any, origin: str) -> None:
    """With "Local" all times of a page are those of the device, and stay so when the page looks again."""
    with looking(browser, origin, timezone_id="Asia/Tokyo") as watched:
        page = watched.page

        def clocks() -> list[tuple[datetime, str, str]]:
            shown = page.locator(".ticks time, .as-of time").all()
            found = [
                (one.get_attribute("datetime"), one.inner_text(), one.get_attribute("title")) for one in shown
            ]
            return [(datetime.fromisoformat(at), text, title) for at, text, title in found]

        def assert_shown(zone: tzinfo, suffix: str) -> None:
            *ticks, (as_of, said, title) = clocks()
            assert len(ticks) == 4
            assert [text for _, text, _ in ticks] == [f"{at.astimezone(zone):%H:%M}" for at, _, _ in ticks]
            assert said == f"{as_of.astimezone(zone):%H:%M:%S} {suffix}"
            assert (title == f"{as_of.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC") is (zone is UTC)

        watched.open("/metrics?since=1h")
        assert_shown(UTC, "UTC")
        page.locator("#clock").click()
        assert_shown(ZoneInfo("Asia/Tokyo"), "GMT+0900")
        before = clocks()[-1][0]
        while clocks()[-1][0] == before:  # all who ask in the same moment get the same page
            with page.expect_response("**/metrics*"):
                page.keyboard.press(".")
        assert clocks()[-1][0] > before
        assert_shown(ZoneInfo("Asia/Tokyo"), "GMT+0900")
        page.locator("#clock").click()
        assert_shown(UTC, "UTC")
        assert watched.complaints == []


def test_page_follows_what_happens(browser: Any) -> None:
    """A job that ends changes its row at once, and what the reader has opened stays open."""
    console = FakeConsole()
    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        place = next(
            at
            for at, job in enumerate(console.jobs_)
            if job.state is JobState.EXECUTING and job.queue == SLASHED
        )
        running = console.jobs_[place]
        page.goto(origin + f"/jobs/reports@db.internal:6379%252F1/{running.id}")
        page.evaluate("localStorage.setItem('arqlite.rate', '1'); window.isStill = true")
        page.reload()
        page.evaluate("window.isStill = true")
        page.wait_for_selector("body[data-state=live]")
        page.locator("#value-args > summary").click()
        console.jobs_[place] = replace(running, state=JobState.COMPLETED)

        playwright.expect(page.locator("h1 .state")).to_have_text("completed")

        assert page.evaluate("window.isStill") is True
        assert page.locator("#value-args").get_attribute("open") is None
        assert page.locator("#value-kwargs").get_attribute("open") is not None
        assert watched.complaints == []


def test_progress_of_a_running_job_is_followed(browser: Any) -> None:
    """What a running job tells of itself arrives, although nothing has changed in its queue."""

    class Working(FakeConsole):
        async def job(self, job_id: str, queue: str | None = None) -> JobDetail | None:
            detail = await super().job(job_id, queue)
            self.acts.append(("", "look", job_id))
            return detail and replace(detail, progress={"done": len(self.acts), "total": 1_000})

    console = Working()
    job = next(job for job in console.jobs_ if job.state is JobState.EXECUTING and job.queue == MAIL)
    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        page.goto(origin)
        page.evaluate("localStorage.setItem('arqlite.rate', '1')")
        watched.open(f"/jobs/{job.queue}/{job.id}")
        first = page.locator("#progress").inner_text()

        playwright.expect(page.locator("#progress")).not_to_have_text(first)
        playwright.expect(page.locator("#progress")).to_contain_text("4 of")

        assert watched.complaints == []


def test_page_without_a_stream_asks_by_itself(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are as many live pages as there may be, one more follows what happens by asking."""
    monkeypatch.setattr(live, "MOST_STREAMS", 0)
    console = FakeConsole()
    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        watched.open("/jobs")
        page.wait_for_selector("body[data-state=asks]")
        place = next(at for at, job in enumerate(console.jobs_) if job.state is JobState.EXECUTING)
        console.jobs_[place] = replace(console.jobs_[place], state=JobState.DISCARDED)

        playwright.expect(page.locator("tbody tr").nth(place)).to_contain_text("failed")

        assert [one.partition("?")[0] for one in watched.complaints] == [f"answer: 503 of {origin}/live"]


@pytest.mark.parametrize("mishap", ["no answer", "a proxy's answer", "a proxy's page"])
def test_page_that_could_not_be_fetched_is_fetched_again(browser: Any, mishap: str) -> None:
    """One fetch that fails, or that a proxy answers while a dashboard starts anew, leaves no page behind."""
    console, missed = FakeConsole(), []

    def fail_once(route: Any) -> None:
        if missed or route.request.resource_type != "fetch":
            route.continue_()
            return
        missed.append(route.request.url)
        if mishap == "no answer":
            route.abort()
        else:
            kind = "text/html" if mishap == "a proxy's page" else "text/plain"
            route.fulfill(status=502, content_type=kind, body="<p>Bad gateway")

    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        page.goto(origin)
        page.evaluate("localStorage.setItem('arqlite.rate', '1')")
        page.route("**/jobs", fail_once)
        watched.open("/jobs")
        page.wait_for_selector("body[data-state=away]")
        page.wait_for_selector("body[data-state=live]")
        place = next(
            at
            for at, job in enumerate(console.jobs_)
            if job.state is JobState.EXECUTING and job.queue == SLASHED
        )
        console.jobs_[place] = replace(console.jobs_[place], state=JobState.DISCARDED)

        playwright.expect(page.locator("tbody tr").nth(place)).to_contain_text("failed")

        assert missed == [f"{origin}/jobs"]


def test_page_that_leads_elsewhere_says_that_it_lives_no_more(browser: Any) -> None:
    """Where a session is over and each page leads to a login, an open page stays, and its light is out."""
    with served() as origin, looking(browser, origin) as watched:
        page = watched.page
        watched.open("/jobs")
        page.wait_for_selector("body[data-state=live]")
        page.route("**/jobs", lambda route: route.fulfill(status=302, headers={"Location": origin + "/"}))

        page.keyboard.press(".")

        page.wait_for_selector("body[data-state=off]")
        assert page.locator("h1").inner_text() == "Jobs"
        assert watched.complaints == []


def test_page_catches_up_with_what_no_stream_tells(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag alone changes no number of a queue: a page that heard nothing for a minute looks by itself."""
    monkeypatch.setattr(sharing, "FRESH_S", 0.0)
    console = FakeConsole()
    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        page.clock.install()
        with page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
            watched.open("/jobs")
        console.jobs_[0] = replace(console.jobs_[0], tags=("late",))

        page.clock.run_for(66_000)

        playwright.expect(page.locator("tbody tr").first).to_contain_text("late")
        assert watched.complaints == []


def test_selection_holds_the_page(browser: Any) -> None:
    """While rows are selected nothing moves below them; when none is, the page catches up."""
    console = FakeConsole()
    with served(console=console) as origin, looking(browser, origin) as watched:
        page = watched.page
        page.goto(origin)
        page.evaluate("localStorage.setItem('arqlite.rate', '1')")
        with page.expect_request("**/live?*"):
            page.goto(origin + "/jobs")
        page.wait_for_selector("body[data-state=live]")
        page.locator("td.pick input").first.check()
        shown = page.locator(".bulk .count")
        playwright.expect(shown).to_have_text("1 selected")
        place = next(at for at, job in enumerate(console.jobs_) if job.state is JobState.EXECUTING)
        row = page.locator("tbody tr").nth(place)
        console.jobs_[place] = replace(console.jobs_[place], state=JobState.DISCARDED)
        console.jobs_[place + 1] = replace(console.jobs_[place + 1], state=JobState.DISCARDED)
        with looking(browser, origin) as other:  # a page that nothing holds
            other.open("/jobs")
            playwright.expect(other.page.locator("tbody tr").nth(place)).to_contain_text("failed")
            other.page.wait_for_selector("body[data-state=live]")
            # Not as it was at first: a stream that has not seen what was between would have nothing to tell.
            late = replace(console.jobs_[place + 4], tags=("late",), state=JobState.EXECUTING)
            console.jobs_[place + 4] = late
            playwright.expect(other.page.locator("tbody tr").nth(place + 4)).to_contain_text("late")
        assert "running" in row.inner_text()

        page.keyboard.press("Escape")

        playwright.expect(row).to_contain_text("failed")
        assert watched.complaints == []


def test_keys_lead_everywhere(browser: Any, origin: str) -> None:
    """Pages, rows, selection, filter, help and theme are reached by keys, and not while somebody types."""
    with looking(browser, origin) as watched:
        page = watched.page
        watched.open("/")
        page.keyboard.press("g")
        page.keyboard.press("j")
        page.wait_for_url("**/jobs")
        page.wait_for_selector("html[data-js]")
        for key in ("j", "j", "x"):
            page.keyboard.press(key)
        assert page.locator("tr.at td.pick input").is_checked()
        page.keyboard.press("/")
        page.keyboard.type("gt?x")
        assert page.locator("#q").input_value() == "gt?x"
        page.locator("h1").evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        page.locator("#keys").wait_for()
        page.keyboard.press("Escape")
        page.locator("#keys").wait_for(state="hidden")
        page.keyboard.press("t")
        page.keyboard.press("t")
        page.reload()
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.locator("tbody tr").first.wait_for()
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs/*/*")
        assert watched.complaints == []


def test_palette_goes_anywhere(browser: Any, origin: str) -> None:
    """Ctrl-K finds pages, queues and functions, and takes anything else for a search."""
    with looking(browser, origin) as watched:
        page = watched.page
        watched.open("/")
        page.keyboard.press("Control+k")
        page.keyboard.type("met")
        page.keyboard.press("Escape")
        page.locator("#palette").wait_for(state="hidden")
        for typed, told in (
            ("metr", "**/metrics"),
            ("resize", "**/jobs?q=function*resize_image"),
            ("1a2b", "**/jobs?q=1a2b"),
        ):
            page.wait_for_selector("html[data-js]")
            page.keyboard.press("Control+k")
            page.keyboard.type(typed)
            page.locator("#palette-list li[aria-selected=true]", has_text=typed).wait_for()
            page.keyboard.press("Enter")
            page.wait_for_url(told)
        assert watched.complaints == []


def test_filter_is_completed(browser: Any, origin: str) -> None:
    """Names and values are offered while somebody types, and taken by keys."""
    with looking(browser, origin) as watched:
        page = watched.page
        watched.open("/jobs")
        box, offered = page.locator("#q"), playwright.expect(page.locator("#q-list li"))
        box.press_sequentially("sta")
        offered.to_have_text(["state:"])  # those of each letter come one after the other
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.type("dis")
        offered.to_have_text(["discarded"])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        assert box.input_value() == "state:discarded "
        page.keyboard.type("queue:rep")
        offered.to_have_text([SLASHED])
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs?q=*")
        assert page.locator("#q-error").count() == 0
        assert watched.complaints == []


def test_choice_is_kept_when_a_list_comes_late(browser: Any, origin: str) -> None:
    """Who has chosen a value while the list for their last letter was under way gets that value."""
    held: list[Any] = []
    with looking(browser, origin) as watched:
        page = watched.page
        page.route("**/*start=rep", lambda route: held.append(route))
        watched.open("/jobs")
        page.locator("#q").press_sequentially("queue:re")
        page.locator("#q-list li", has_text="reports").wait_for()
        with page.expect_request("**/*start=rep"):
            page.keyboard.type("p")
        page.keyboard.press("ArrowDown")
        with page.expect_response("**/*start=rep"):
            held[0].continue_()
        playwright.expect(page.locator("#q-list li")).to_have_count(1)
        page.keyboard.press("Enter")

        playwright.expect(page.locator("#q")).to_have_value(f'queue:"{SLASHED}" ')
        assert watched.complaints == []


@pytest.mark.parametrize("width", [1200, 1280])
def test_queues_of_the_overview_are_not_cut_off(browser: Any, origin: str, width: int) -> None:
    """Where two tables stand side by side, the last column of the queues is seen whole."""
    with looking(browser, origin, viewport={"width": width, "height": 900}) as watched:
        watched.open("/")
        table = watched.page.get_by_role("region", name="Queues")

        assert table.evaluate("it => it.scrollWidth - it.clientWidth") == 0


@pytest.mark.parametrize(("width", "last"), [(360, 3), (1280, 9)])
def test_long_names_of_functions_push_no_figures_out(browser: Any, width: int, last: int) -> None:
    """Names of functions break: on a phone numbers stand beside them, on a laptop the percentiles do."""
    long = FakeConsole(text="reconcile_the_ledger_of_every_old_customer")
    with (
        served(console=long) as url,
        looking(browser, url, viewport={"width": width, "height": 900}) as watched,
    ):
        watched.open("/metrics")
        figure = f"table.figures tbody tr:first-child > :nth-child({last})"
        playwright.expect(watched.page.locator(figure)).to_be_visible()
        # In one breath: what the page hears just then may put another row in the place of this one.
        ends = watched.page.evaluate("it => document.querySelector(it).getBoundingClientRect().right", figure)

    assert ends <= width


def test_table_that_goes_on_shows_it(browser: Any, origin: str) -> None:
    """A table that is wider than its place has a shade at the side where it goes on, and none at its end."""
    with looking(browser, origin, viewport={"width": 1024, "height": 900}, color_scheme="light") as watched:
        watched.open("/metrics")
        table = watched.page.get_by_role("region", name="Functions")
        assert table.evaluate("it => it.scrollWidth - it.clientWidth") > 0

        before = _edge(watched.page, table)
        table.evaluate("it => it.scrollTo({left: it.scrollWidth, behavior: 'instant'})")

        assert before != _edge(watched.page, table)


def _edge(page: Any, table: Any) -> bytes:
    """The picture of some pixels at the right end of a table's head, where it has no text."""
    box = table.bounding_box()
    clip = {"x": box["x"] + box["width"] - 5, "y": box["y"] + 3, "width": 3, "height": 3}
    picture: bytes = page.screenshot(clip=clip, animations="disabled", full_page=True)
    return picture
