"""The dashboard of real queues in a real browser: all that its pages lead to and offer to do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from browser_toys import Watched, chromium, looking, playwright, served
from lacking import lack
from proxy_toys import proxy
from scene import FAR_DB, MANY, WORDY, Scene, scene
from scene_hostile import hostile_scene
from starlette.applications import Starlette
from starlette.routing import Mount
from test_dashboard_browser import PAYLOADS
from walk_toys import Findings, walk

from arqlite.console import crons, links, overview
from arqlite.dashboard import ADMIN, create_dashboard, running
from arqlite.embedded import EmbeddedServer

# One walk is made for many tests, before the first of them: on a machine with much to do that takes minutes.
pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.timeout(600)]

ALSO = (
    "/jobs?limit=200", "/jobs?cols=id,by,worker,error,tags,wait,priority", "/jobs?q=stat:x",
    "/jobs?q=id:nope", "/jobs/mail/big", f"/jobs/mail/{WORDY}", "/jobs/mail/resize_image",
    "/jobs/mail/order", "/jobs/mail/no_such_job", "/jobs/mail/reconcile_the_ledger_of_every_old_customer",
)  # fmt: skip
ROUTES = {
    "overview", "jobs", "errors", "queues", "queues mail", "crons", "workers", "metrics", "system", "audit",
}  # fmt: skip
AXE = ROUTES | {"job failed error", "job running"}
JOBS = {
    "ready", "scheduled", "retrying", "waiting", "running", "completed", "cancelled by hand", "failed error",
    "failed timeout", "failed refused", "failed expired", "failed lost worker", "failed shutdown",
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    """On a machine with much to do a page waits: here every queue answers, however long it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "ANSWER_S", 20.0)
        patch.setattr(links, "LEDGER_ANSWER_S", 20.0)
        patch.setattr(overview, "ANSWER_S", 20.0)
        patch.setattr(crons, "LEDGER_ANSWER_S", 20.0)
        yield


@pytest.fixture(scope="module")
def real(real_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(real_server, tmp_path_factory.mktemp("scene")) as made:
        yield made


@pytest.fixture(scope="module")
def origin(real: Scene) -> Iterator[str]:
    with served(app=create_dashboard(real.settings, title="Shop")) as url:
        yield url


@pytest.fixture(scope="module")
def findings(browser: Any, origin: str) -> Findings:
    """What a walk through all pages has met, in each shape: they are loaded once, and looked at six times."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        axe = None
    else:
        axe = Axe()
    with looking(browser, origin) as watched:
        found = Findings(watched, axe=axe, asked=AXE.__contains__)
        found.kinds = walk(watched, also=ALSO, look=found.look)
    return found


def has_all_kinds(kinds: dict[str, str]) -> bool:
    missing = (ROUTES | {f"job {one}" for one in JOBS}) - kinds.keys()
    return not missing or bool(pytest.fail(f"the pages do not lead to {missing}"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1024, 1920])
def test_all_pages_fit(findings: Findings, width: int, theme: str) -> None:
    """Of real jobs too no page is wider than the window, and no text has room for a letter only."""
    assert has_all_kinds(findings.kinds)
    assert findings.wide[(width, theme)] == []
    assert findings.crushed[(width, theme)] == []


def test_pages_complain_of_nothing(findings: Findings) -> None:
    """Nothing in the browser's console, no report of a policy, and no request to anywhere else."""
    assert findings.watched.complaints == []


@pytest.mark.parametrize("shape", [(360, "light"), (1024, "dark")])
def test_pages_of_real_jobs_have_no_serious_barrier(findings: Findings, shape: tuple[int, str]) -> None:
    """axe finds nothing that keeps somebody from reading or using a page, in either theme."""
    if findings.axe is None:
        lack("axe is not installed")
    assert findings.barriers[shape] == []


def test_all_pages_are_read_without_a_script(browser: Any, origin: str) -> None:
    """With scripts switched off the same links lead to the same kinds of pages, and each says what it is."""
    with looking(browser, origin, java_script_enabled=False) as watched:

        def look(kind: str, path: str) -> None:
            assert watched.page.locator("h1").count() == 1, path
            assert watched.page.locator(".js-only:visible").count() == 0, path

        kinds = walk(watched, also=ALSO[:1], look=look)

        assert watched.complaints == []
    assert has_all_kinds(kinds)


def press(watched: Watched, path: str, name: str, within: str = "main") -> str:
    """Press a button of a page, and tell what is said of it."""
    page = watched.page
    page.goto(watched.origin + path)
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()
    return said(watched)


def said(watched: Watched) -> str:
    return str(watched.page.locator("#flash").inner_text())


@pytest.fixture
def plain(browser: Any, origin: str) -> Iterator[Watched]:
    """Somebody whose browser runs no scripts."""
    with looking(browser, origin, java_script_enabled=False) as watched:
        yield watched
        assert watched.complaints == []


def test_jobs_are_acted_on_without_a_script(real: Scene, plain: Watched) -> None:
    """What the page of a job offers is done to the job in its queue: retried, run now, cancelled, deleted."""
    later = real.enqueue("notify", "later", delay=3_600, job_id="act-now")
    waits = real.enqueue("notify", "cancel me", delay=3_600, job_id="act-cancel")
    runs = real.enqueue("import_rows", "/srv/b.csv", job_id="act-abort")
    real.until(lambda: real.is_in("act-abort", "executing"))

    assert press(plain, f"/jobs/mail/{later}", "Run now") == "Retried job act-now."
    real.until(lambda: real.is_in(later, "completed"))
    assert press(plain, f"/jobs/mail/{waits}", "Cancel") == "Cancelled job act-cancel."
    assert real.state(waits) == "cancelled"
    assert press(plain, f"/jobs/mail/{waits}", "Retry") == "Retried job act-cancel."
    real.until(lambda: real.is_in(waits, "completed"))
    assert press(plain, f"/jobs/mail/{waits}", "Delete").startswith("Deleted job act-cancel from Redis")
    assert real.state(waits) == ""
    asked = press(plain, f"/jobs/mail/{runs}", "Cancel")
    assert asked.startswith("Asked the worker of job act-abort, which runs, to cancel it. It runs on")
    real.gates.open(runs)


def test_many_jobs_are_acted_on_without_a_script(real: Scene, plain: Watched) -> None:
    """More than fifty are cancelled and deleted after their number was typed, and not by a wrong one."""
    page = plain.page
    page.goto(plain.origin + "/jobs?q=tag:reminders&limit=25")
    for box in page.locator("td.pick input").all()[:2]:
        box.check()
    page.get_by_role("button", name="Cancel selected").click()
    assert said(plain) == "Cancelled 2 jobs."
    assert len(real.lines("tag:reminders state:scheduled")) == MANY - 2

    # What is deleted is gone from Redis: its row stays.
    for verb, state, becomes in (("Cancel", "scheduled", "cancelled"), ("Delete", "cancelled", "")):
        many = len(real.lines(f"tag:reminders state:{state}"))
        page.goto(plain.origin + f"/jobs?q=tag:reminders+state:{state}")
        page.locator(".under summary").click()
        page.get_by_role("button", name=f"{verb} all").click()
        page.get_by_label("Type").fill("3")
        page.get_by_role("button", name=f"{verb} {many} jobs").click()
        assert f"{verb} {many} jobs?" in page.locator("h1").inner_text()
        assert {real.state(f"reminder-{number:02}") for number in (7, 17)} == {state}
        page.get_by_label("Type").fill(str(many))
        page.get_by_role("button", name=f"{verb} {many} jobs").click()
        assert f" {many} jobs" in said(plain)
        assert f"state:{state}" in unquote(page.url)
        assert {real.state(f"reminder-{number:02}") for number in range(MANY)} == {becomes}


def test_queue_is_steered_without_a_script(real: Scene, plain: Watched) -> None:
    """A queue is paused, resumed, limited, and purged after its key was typed."""
    page, mail = plain.page, real.inspector()

    assert press(plain, "/queues", "Pause", "#queue-mail") == "Paused mail."
    assert real.run(mail.check_queue("mail")).paused
    assert press(plain, "/queues/mail", "Resume", ".head") == "Resumed mail."
    assert not real.run(mail.check_queue("mail")).paused

    page.get_by_label("All together").fill("7")
    page.get_by_label("Rate").fill("60/1m")
    page.get_by_role("button", name="Change").click()
    assert said(plain) == "Changed the limits of mail."
    now = real.run(mail.check_queue("mail"))
    assert (now.global_limit.allowed, now.rate_limit.allowed) == (7, 60)
    page.get_by_label("All together").fill("none")
    page.get_by_label("Rate").fill("none")
    page.get_by_role("button", name="Change").click()
    now = real.run(mail.check_queue("mail"))
    assert (now.global_limit, now.rate_limit) == (None, None)

    far = next(href for href in real.keys if href.endswith(f"/{FAR_DB}"))
    page.goto(plain.origin + "/queues")
    page.get_by_role("link", name=far).first.click()
    page.locator(".danger-zone input").fill("mail")
    page.get_by_role("button", name="Purge").click()
    assert real.state("far-ready", "far") == "available"
    page.get_by_label("Type").fill(far)
    page.get_by_role("button", name="Purge").click()
    assert said(plain).startswith("Cancelled 2 jobs of")
    assert [real.state(one, "far") for one in ("far-ready", "far-later")] == ["cancelled"] * 2


def test_crons_and_workers_are_steered_without_a_script(real: Scene, plain: Watched) -> None:
    """A cron job is run, paused and resumed; the worker of a node is paused and told to end."""
    row = "#cron-mail-clean-up"
    ran = press(plain, "/crons", "Run now", row)
    job_id = re.search(r"as job (.+)\.$", ran)
    assert job_id is not None, ran
    real.until(lambda: real.is_told(job_id[1], "completed"))
    assert press(plain, "/crons", "Pause", row) == "Paused clean-up."
    assert real.cron("clean-up").is_paused
    assert press(plain, "/crons", "Resume", row) == "Resumed clean-up."
    assert not real.cron("clean-up").is_paused

    spare = real.run(real.work("archive", "spare"))
    row = "tr:has-text('spare')"
    assert press(plain, "/workers", "Resume", row).endswith("on spare.")  # its queue is paused
    assert not real.node("archive", "spare").paused
    assert press(plain, "/workers", "Pause", row).endswith("on spare.")
    assert real.node("archive", "spare").paused
    assert press(plain, "/workers", "Stop", row).startswith("Told the workers of")
    real.run(real.ended(spare))
    assert real.node("archive", "spare") is None


def test_page_of_a_real_job_follows_it(browser: Any, real: Scene, origin: str) -> None:
    """An open page tells of a job that runs, how far it is, and that it ends, without being loaded again."""
    job_id = real.enqueue("import_rows", "/srv/live.csv", job_id="live")
    with looking(browser, origin) as watched:
        page = watched.page
        watched.open("/jobs/mail/live")
        page.evaluate("localStorage.setItem('arqlite.rate', '1')")
        watched.open("/jobs/mail/live")
        page.evaluate("window.isStill = true")
        playwright.expect(page.locator("#progress")).to_contain_text("reading rows")
        page.wait_for_selector("body[data-state=live]")

        real.gates.open(job_id)

        playwright.expect(page.locator("h1 .state")).to_have_text("completed")
        playwright.expect(page.locator("#value-result")).to_contain_text("20000")
        assert page.evaluate("window.isStill") is True
        assert watched.complaints == []


def test_real_queues_are_acted_on_by_mouse_and_keys(browser: Any, real: Scene, origin: str) -> None:
    """With scripts the same is done: rows are retried and cancelled by keys, queues and crons by mouse."""
    for number in range(2):
        real.enqueue("notify", number, delay=3_600, job_id=f"keyed-{number}", tags=["keyed"])
    with looking(browser, origin) as watched:
        page = watched.page
        watched.open("/jobs?q=tag:keyed")
        for key in ("j", "x", "j", "x"):
            page.keyboard.press(key)
        playwright.expect(page.locator(".bulk .count")).to_have_text("2 selected")
        page.keyboard.press("c")
        playwright.expect(page.locator("#flash")).to_have_text("Cancelled 2 jobs.")
        assert [real.state(f"keyed-{number}") for number in range(2)] == ["cancelled"] * 2

        watched.open("/jobs/mail/keyed-0")
        page.keyboard.press("r")
        playwright.expect(page.locator("#flash")).to_have_text("Retried job keyed-0.")
        real.until(lambda: real.is_in("keyed-0", "completed"))
        playwright.expect(page.locator("h1 .state")).to_have_text("completed")

        for verb, is_paused in (("Pause", True), ("Resume", False)):
            watched.open("/queues/mail")
            page.locator(".head").get_by_role("button", name=verb, exact=True).click()
            playwright.expect(page.locator("#flash")).to_contain_text(f"{verb}d mail.")
            assert real.run(real.inspector().check_queue("mail")).paused is is_paused
        watched.open("/crons")
        page.locator("#cron-mail-clean-up").get_by_role("button", name="Run now").click()
        playwright.expect(page.locator("#flash")).to_contain_text("Enqueued clean-up as job")
        assert watched.complaints == []


_STRANGE = """
() => [...document.querySelectorAll("body *")].filter((it) =>
  (it.matches("script, iframe, object, embed, base, meta, link, style, math, video, source, img, textarea")
    && !it.matches(".brand img"))
  || [...it.attributes].some(({ name, value }) => name.startsWith("on")
    || (/^(href|src|action|xlink:href|formaction)$/.test(name) && !/^(\\/(?!\\/)|#)/.test(value)))
).map((it) => it.outerHTML.slice(0, 150))
"""


def test_attacks_in_real_jobs_do_nothing(browser: Any, real_server: EmbeddedServer, tmp_path: Path) -> None:
    """Thirty ways to get a script into a page, in all that users name and jobs tell, do nothing."""
    payloads = PAYLOADS.strip("\n").split("\n")
    verbs = ("told", "runs", "fails")
    with (
        hostile_scene(real_server, tmp_path, payloads) as hostile,
        served(app=create_dashboard(hostile.settings)) as url,
        looking(browser, url, bypass_csp=True) as watched,
    ):
        page = watched.page
        watched.open("/")
        paths = page.eval_on_selector_all("a[href]", "them => them.map((it) => it.getAttribute('href'))")
        paths += ["/jobs?limit=200&cols=queue,id,by,worker,error,tags", "/jobs?q=state:executing"]
        jobs = {one.id: one for one in hostile.lines("")}
        for number, payload in enumerate(payloads):
            line = jobs[f"{verbs[number % 3]} {number} {payload}"]
            paths.append(f"/jobs/{_segment(line.queue)}/{_segment(line.id)}")
        for path in dict.fromkeys(one for one in paths if one.startswith("/")):
            assert page.goto(url + path, wait_until="domcontentloaded").status == 200, path
            assert page.evaluate(_STRANGE) == [], path
        assert page.locator("main").inner_text().count("alert") > 3
        watched.open("/jobs")
        page.locator("#q").press_sequentially("function:")
        page.locator("#q-list li", has_text="fails").first.wait_for()
        page.keyboard.press("ArrowDown")
        assert page.evaluate(_STRANGE) == []
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_url("**/jobs?q=*")
        page.locator("td.job a").first.wait_for()

        assert watched.complaints == []


def _segment(text: str) -> str:
    return quote(quote(text, safe="") if re.search("[%/]", text) else text, safe="")


@pytest.mark.parametrize("takes_away", ["", "/tools"], ids=["prefix left", "prefix taken away"])
def test_two_dashboards_behind_a_proxy(browser: Any, real: Scene, takes_away: str) -> None:
    """Two of one process, under two prefixes, are read and acted on, and are live, through either proxy."""
    dashboards = [
        create_dashboard(real.settings, auth=lambda _: ADMIN, title=one) for one in ("Ops", "Staff")
    ]
    mounts = [Mount("/ops/jobs", dashboards[0]), Mount("/staff/jobs", dashboards[1])]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with running(dashboards[0]), running(dashboards[1]):
            yield

    with (
        served(app=Starlette(routes=mounts, lifespan=lifespan), root_path=takes_away) as behind,
        served(app=proxy(behind, takes_away)) as url,
    ):
        for title, mounted in (("Ops", "/ops/jobs"), ("Staff", "/staff/jobs")):
            prefix = takes_away + mounted
            job_id = f"behind-{title}{takes_away.replace('/', '-')}"
            real.enqueue("import_rows", "/srv/c.csv", job_id=job_id)
            failed = real.enqueue("notify", "again", delay=3_600, job_id=f"{job_id}-later")
            with looking(browser, url) as watched:
                page = watched.page
                watched.open(f"{prefix}/")
                assert page.locator(".brand").inner_text() == title
                page.evaluate("localStorage.setItem('arqlite.rate', '1')")
                page.get_by_role("link", name="Queues", exact=True).first.click()
                for verb, is_paused in (("Pause", True), ("Resume", False)):
                    page.locator("#queue-mail").get_by_role("button", name=verb, exact=True).click()
                    playwright.expect(page.locator("#flash")).to_have_text(f"{verb}d mail.")
                    assert real.run(real.inspector().check_queue("mail")).paused is is_paused
                watched.open(f"{prefix}/jobs/mail/{failed}")
                page.get_by_role("button", name="Run now").click()
                playwright.expect(page.locator("#flash")).to_have_text(f"Retried job {failed}.")
                real.until(lambda failed=failed: real.is_in(failed, "completed"))
                watched.open(f"{prefix}/jobs/mail/{job_id}")
                page.wait_for_selector("body[data-state=live]")
                playwright.expect(page.locator("h1 .state")).to_have_text("running")
                real.gates.open(job_id)
                playwright.expect(page.locator("h1 .state")).to_have_text("completed")
                links = page.eval_on_selector_all("[href], [src], [action]", _TARGETS)
                assert [one for one in links if not one.startswith((f"{prefix}/", "#"))] == []
                assert watched.complaints == []


_TARGETS = """
them => them.map((it) => it.getAttribute("href") ?? it.getAttribute("src") ?? it.getAttribute("action"))
"""
