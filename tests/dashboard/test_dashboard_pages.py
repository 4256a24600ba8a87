"""Every page: with jobs of each state, with nothing at all, and with nothing that answers."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from dashboard_toys import DEFAULT, MAIL, SLASHED, FakeConsole, pages_app, visitor

from arqlite.dashboard import ADMIN, OPERATOR, READ_ONLY, Access
from arqlite.errors import LedgerTooSlow

PAGES = {
    "overview": "/",
    "jobs": "/jobs",
    "failed": "/jobs?q=state:discarded&cols=id,by,worker,error,wait,priority,tags",
    "errors": "/errors",
    "queues": "/queues",
    "queue": f"/queues/{DEFAULT}",
    "idle queue": f"/queues/{MAIL}",
    "slashed queue": "/queues/reports@db.internal:6379%252F1",
    "crons": "/crons",
    "workers": "/workers",
    "metrics": "/metrics?since=7d",
    "metrics of a function": f"/metrics?queue={MAIL}&function=send_mail",
    "system": "/system",
    "audit": "/audit",
}
XSS = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}"
VOID = {"meta", "link", "img", "input", "br", "wbr"}


class Reading(HTMLParser):
    """What a page consists of: its tags with their attributes, and which are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def values(self, *names: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.tags for name in names if attrs.get(name)]


async def get(path: str, console: FakeConsole | None = None, access: Access = ADMIN, **options: Any) -> str:
    async with visitor(pages_app(console, access, **options)) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def job_pages(console: FakeConsole) -> dict[str, str]:
    """The page of a job of each state."""
    async with visitor(pages_app(console)) as client:
        listed = Reading((await client.get("/jobs?limit=100")).text)
        paths = [path for path in listed.values("href") if re.fullmatch(r"/jobs/[^/?]+/[^/?]+", path)]
        return {path: (await client.get(path)).text for path in paths[:18]}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize(
    "console",
    [
        {},
        {"is_empty": True},
        {"redis_away": True},
        {"ledger_away": True},
        {"redis_away": True, "ledger_away": True},
    ],
    ids=["full", "empty", "no redis", "no ledger", "neither"],
)
async def test_page_is_well_formed(path: str, console: dict[str, bool]) -> None:
    """Each page is HTML that closes what it opens, has each id once and one heading above all."""
    page = Reading(await get(path, FakeConsole(**console)))

    ids = page.values("id")
    assert (page.faults, page.open) == ([], [])
    assert sorted(ids) == sorted(set(ids))
    assert sum(tag == "h1" for tag, _ in page.tags) == 1


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_page_obeys_a_strict_policy(path: str) -> None:
    """No page has a style or a script in it, or loads anything that is not its own."""
    page = Reading(await get(path))

    assert page.values("style") == []
    assert [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)] == []
    assert [attrs.get("src") for tag, attrs in page.tags if tag == "script" if not attrs.get("src")] == []
    assert [url for url in page.values("href", "src", "action") if not re.match(r"/(?!/)|#main$", url)] == []


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_what_users_write_stays_text(path: str) -> None:
    """Markup in functions, arguments, errors, tags, names and workers is shown, and never read."""
    text = await get(path, FakeConsole(text=XSS))

    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "49" not in re.findall(r">\s*49\s*<", text)
    assert (Reading(text).faults, Reading(text).open) == ([], [])


async def test_what_users_write_stays_text_on_the_page_of_a_job() -> None:
    """The same of arguments, results, progress, logs, tracebacks and names of a job."""
    pages = await job_pages(FakeConsole(text=XSS))

    assert len(pages) == 18
    for text in pages.values():
        assert "<img src=x" not in text
        assert "<script>alert" not in text
        assert (Reading(text).faults, Reading(text).open) == ([], [])


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
async def test_who_may_only_look_has_nothing_to_press(path: str) -> None:
    """A reader, and everybody in a dashboard that is read-only, sees no form that changes something."""
    for page in (await get(path, access=READ_ONLY), await get(path, read_only=True)):
        assert [attrs for tag, attrs in Reading(page).tags if attrs.get("method") == "post"] == []
        assert 'type="checkbox" form="bulk"' not in page


async def test_who_may_not_purge_is_not_offered_it() -> None:
    """What is offered follows single rights."""
    admin, operator = await get(f"/queues/{DEFAULT}"), await get(f"/queues/{DEFAULT}", access=OPERATOR)

    assert "/queues/default/purge" in admin
    assert "/queues/default/purge" not in operator
    assert "/queues/default/scale" in operator


@pytest.mark.parametrize(
    "path", ["/", "/jobs", "/queues", "/crons", "/workers", "/metrics", "/audit", "/errors"]
)
async def test_other_queues_are_not_to_be_seen(path: str) -> None:
    """Who sees one queue reads nothing of the others, nor of who may see them."""
    console = FakeConsole()
    console.troubles_ = []

    page = await get(path, console, Access("mia", can=ADMIN.can, queues=[MAIL]))

    assert SLASHED not in page
    assert f"/queues/{DEFAULT}" not in page


async def test_times_are_told_for_people_and_programs() -> None:
    """A time is relative to read, absolute to look up, and exact for programs."""
    page = Reading(await get("/jobs"))

    times = [attrs for tag, attrs in page.tags if tag == "time"]
    assert len(times) > 50
    for attrs in times:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", str(attrs["datetime"]))
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", str(attrs["title"]))


@pytest.mark.parametrize("state", ["completed", "discarded", "executing", "scheduled", "retryable"])
async def test_a_state_is_shape_and_word_and_colour(state: str) -> None:
    """No state is told by colour alone."""
    page = await get(f"/jobs?q=state:{state}")

    [shown] = set(
        re.findall(rf'<td><span class="state s-{state}">(<svg class="shape s-{state}".*?</svg>)', page, re.S)
    )
    assert "<path" in shown or "<circle" in shown
    assert {"completed": "completed", "discarded": "failed", "executing": "running"}.get(
        state, state[:5]
    ) in page


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/", "arqlite tasks.WorkerSettings"),
        ("/jobs", "arqlite enqueue"),
        ("/workers", "arqlite tasks.WorkerSettings"),
        ("/metrics", "ledger ="),
    ],
)
async def test_empty_page_says_what_to_type_next(path: str, command: str) -> None:
    """Where there is nothing yet, the next command stands."""
    assert command in await get(path, FakeConsole(is_empty=True))


@pytest.mark.parametrize("path", ["/", "/workers", "/crons", f"/queues/{MAIL}"])
async def test_command_names_the_settings_that_were_given(path: str) -> None:
    """What is to be typed names the settings that the dashboard was made of, or that there are some."""

    class Nameless(FakeConsole):
        @property
        def places(self) -> Any:
            return [SimpleNamespace(**{**vars(place), "path": ""}) for place in super().places]

    unknown = await get(path, Nameless(is_empty=True))
    named = await get(path, FakeConsole(is_empty=True), named=["shop.jobs.Mail"])

    assert "arqlite path.to.WorkerSettings" in unknown
    assert "arqlite shop.jobs.Mail" in named


async def test_reason_of_a_queue_that_is_away_ends_once() -> None:
    """A reason that is a sentence already gets no second full stop."""

    class Stopped(FakeConsole):
        async def queue(self, key: str) -> Any:
            return replace(await super().queue(key), error="connecting to localhost:7391.")

    page = await get(f"/queues/{MAIL}", Stopped())

    assert "Connecting to localhost:7391. What has ended" in page


async def test_numbers_of_a_redis_that_is_away_are_not_zero() -> None:
    """What cannot be asked is a dash and a reason, not a nought."""
    page = await get("/", FakeConsole(redis_away=True))

    assert "connection refused" in page
    assert re.search(r'>Ready</span><span class="value">–<', page)
    assert "No worker runs" not in page


@pytest.mark.parametrize("path", ["/", "/errors"])
async def test_no_failures_are_told_as_what_is_known(path: str) -> None:
    """That no job is failed now is known; tries that failed before a success are not looked at."""
    assert "No job is failed or waiting for a retry" in await get(path, FakeConsole(is_empty=True))


@pytest.mark.parametrize(
    ("looked_at", "said"), [(1, ">1 failed run was looked at"), (2, ">2 failed runs were looked at")]
)
async def test_so_many_runs_were_looked_at(looked_at: int, said: str) -> None:
    """One run is told as one."""

    class Few(FakeConsole):
        async def errors(self, **asked: Any) -> Any:
            return replace(await super().errors(**asked), looked_at=looked_at)

    assert said in await get("/errors", Few())


class OneNode(FakeConsole):
    """All workers run on one host; `paused` are the sessions that claim nothing."""

    paused: frozenset[int] = frozenset()

    async def queue(self, key: str) -> Any:
        state = await super().queue(key)
        workers = [
            replace(worker, node="host-1", is_paused=place in self.paused)
            for place, worker in enumerate(state.workers)
        ]
        return replace(state, workers=workers, node_limits={}, node_pauses={})

    async def workers(self) -> Any:
        return replace(await super().workers(), workers=(await self.queue(DEFAULT)).workers)


@pytest.mark.parametrize("path", [f"/queues/{DEFAULT}", "/workers"])
async def test_workers_of_a_node_are_steered_together(path: str) -> None:
    """What pauses and stops all workers of a node is there once, with how many, and what becomes of jobs."""
    page = await get(path, OneNode())

    assert re.findall(r"<button[^>]*>((?:Pause|Resume|Stop) [^<]*)</button>", page) == [
        "Pause the 2 workers of host-1",
        "Stop the 2 workers of host-1",
    ]
    assert "finishes what it has" not in page
    assert "<code>job_completion_wait</code> of their worker (0 unless its settings say more)" in page
    assert "goes back to the queue" in page


@pytest.mark.parametrize("path", [f"/queues/{DEFAULT}", "/workers"])
@pytest.mark.parametrize(
    ("paused", "verbs"), [((), ["Pause"]), ((0, 1), ["Resume"]), ((1,), ["Pause", "Resume"])]
)
async def test_node_is_paused_and_resumed_by_what_its_workers_are(
    path: str, paused: tuple[int, ...], verbs: list[str]
) -> None:
    """Where some workers of a node are paused and others not, both can be said to it."""
    console = OneNode()
    console.paused = frozenset(paused)

    found = re.findall(
        r"<button[^>]*>(Pause|Resume) the 2 workers of host-1</button>", await get(path, console)
    )

    assert found == verbs


@pytest.mark.parametrize("path", ["/", "/queues"])
async def test_queue_whose_workers_are_paused_has_workers(path: str) -> None:
    """Where all workers are paused nothing can run, and nobody says that there is none."""

    class Paused(FakeConsole):
        async def queues(self) -> Any:
            return [replace(queue, slots=0) for queue in await super().queues()][:1]

    page = await get(path, Paused())

    assert "<span>17/0</span>" in page
    assert ">no worker<" not in page


async def test_queue_without_workers_does_not_tell_of_slots() -> None:
    """Above "No worker runs" nobody says how many jobs run at once."""
    page = await get(f"/queues/{MAIL}")

    assert "No worker runs" in page
    assert "at once" not in page[: page.index("<h2>Nodes")]
    assert '<span class="note">no worker</span>' in page


class HalfAway(FakeConsole):
    """Some of its queues and ledgers answer."""

    async def overview(self) -> Any:
        first = await super().overview()
        queues = [replace(queue, workers=()) for queue in first.queues]
        queues[-1] = replace(queues[-1], error="connection refused")
        return replace(first, ready=3, running=1, queues=queues, now_is_exact=False, past_is_exact=False)


async def test_sums_without_what_is_away_are_lower_bounds() -> None:
    """Tiles that lack those of a queue or ledger that is away have a plus, as the counts of Jobs do."""
    page = await get("/", HalfAway())
    exact = await get("/")

    tiles = re.findall(r'<span class="label">([^<]+)</span><span class="value">([^<]+)<', page)
    assert tiles[:3] == [("Ready", "3+"), ("Running", "1+"), ("Failed in 24 h", "1\u202f204+")]
    assert tiles[3][1].endswith("+")
    assert re.search(r"completed <b>[^<]+\+</b>", page)
    assert "No worker runs" not in page
    assert not re.search(r'class="value">[^<]*\+<', exact)


async def test_no_failures_are_not_told_while_a_ledger_is_away() -> None:
    """That nothing has failed is not said where not all ledgers answer."""

    class Quiet(HalfAway):
        async def overview(self) -> Any:
            return replace(await super().overview(), failed=0, errors=())

    assert "No job is failed" not in await get("/", Quiet())


async def test_ledger_that_is_away_is_not_told_as_peace() -> None:
    """Without a ledger nobody knows whether something has failed, and the page says so."""
    page = await get("/", FakeConsole(ledger_away=True))

    assert "No job is failed" not in page
    assert "Only a ledger remembers" in page


@pytest.mark.parametrize(
    ("path", "denial"),
    [
        ("/workers", "No worker runs"),
        ("/crons", "No cron jobs"),
    ],
)
async def test_redis_that_is_away_is_not_told_as_idleness(path: str, denial: str) -> None:
    """Workers and cron jobs that could not be asked for are not denied, and the page says what is away."""
    page = await get(path, FakeConsole(redis_away=True))

    assert denial not in page
    assert "Redis at localhost:6379/1 cannot be reached" in page
    assert "Not known now" in page


@pytest.mark.parametrize(
    ("path", "denial"),
    [
        ("/errors", "No job is failed"),
        ("/metrics", "give the settings of the worker a ledger"),
        ("/audit", "Nothing was done by hand"),
        ("/", "No run has ended"),
    ],
)
async def test_ledger_that_is_away_is_told_and_nothing_denied(path: str, denial: str) -> None:
    """What only a ledger knows is not denied while it is away, and the page says what is away."""
    page = await get(path, FakeConsole(ledger_away=True))

    assert denial not in page
    assert "The ledger at postgresql://db/app cannot be reached" in page
    assert "Not known now" in page


@pytest.mark.parametrize("path", ["/jobs", "/crons"])
async def test_page_with_rows_tells_of_its_ledger(path: str) -> None:
    """A page that shows what Redis knows says that the ledger could not be asked."""
    assert "The ledger at postgresql://db/app cannot be reached" in await get(
        path, FakeConsole(ledger_away=True)
    )


async def test_queue_does_not_count_what_its_ledger_does_not_tell() -> None:
    """That nothing ended in an hour is not said of a queue whose ledger is away."""
    console = FakeConsole(ledger_away=True)
    queue, queues = await get(f"/queues/{DEFAULT}", console), await get("/queues", console)

    assert "0 runs" not in queue
    assert "The ledger cannot be asked: Connection refused." in queue
    assert queues.count("ledger away") == 2


async def test_job_page_tells_what_is_away() -> None:
    """The page of a job says what could not be asked for its last runs."""
    pages = await job_pages(FakeConsole(ledger_away=True))

    assert all("The ledger at postgresql://db/app cannot be reached" in text for text in pages.values())


@pytest.mark.parametrize("path", [f"/jobs/{MAIL}/nope", f"/api/v1/jobs/{MAIL}/nope"])
async def test_job_that_nobody_could_ask_for_is_not_denied(path: str) -> None:
    """While a ledger is away, a job that Redis does not have may be in its rows."""
    async with visitor(pages_app(FakeConsole(ledger_away=True))) as client:
        answer = await client.get(path)

    assert answer.status_code == 503
    assert "The ledger at postgresql://db/app cannot be reached" in answer.text
    assert "There is no job" not in answer.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LedgerTooSlow(2), "did not answer within 2 s"),
        (ConnectionRefusedError("nobody is at 6379"), "Nobody is at 6379"),
    ],
)
async def test_page_that_cannot_be_made_looks_again(error: Exception, words: str) -> None:
    """An outage in the middle of a page is told in words, and the page heals by itself."""

    class Broken(FakeConsole):
        async def overview(self) -> Any:
            raise error

    async with visitor(pages_app(Broken())) as client:
        answer = await client.get("/")

    assert answer.status_code == 503
    assert words in answer.text
    assert '<meta http-equiv="refresh" content="5">' in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/queues/nope", "/jobs/nope/1", f"/jobs/{MAIL}/nope", "/errors?queue=nope"])
async def test_what_is_not_there_is_told_on_a_page(path: str) -> None:
    """A queue or a job that is unknown is a 404 in words, with the navigation around it."""
    async with visitor(pages_app()) as client:
        answer = await client.get(path)

    assert answer.status_code == 404
    assert "nope" in answer.text or "nothing here" in answer.text
    assert 'href="/queues"' in answer.text


async def test_theme_is_in_the_page_before_it_is_painted() -> None:
    """A theme that was chosen comes from the server, and nothing else that a cookie says."""
    async with visitor(pages_app()) as client:
        chosen = await client.get("/", headers={"cookie": "arqlite_theme=dark"})
        wrong = await client.get("/", headers={"cookie": 'arqlite_theme="><script>'})

    assert '<html lang="en" data-theme="dark">' in chosen.text
    assert '<html lang="en">' in wrong.text


async def test_word_about_what_was_done_is_shown_once() -> None:
    """After a form the page says what became of it, and the next one does not."""
    console = FakeConsole()
    async with visitor(pages_app(console)) as client:
        done = await client.post(f"/queues/{MAIL}/pause", headers={"referer": "http://localhost:8484/queues"})
        shown, again = await client.get(done.headers["location"]), await client.get("/queues")

    assert console.acts == [("", "pause", (MAIL, None))]
    assert 'role="status">Paused mail.' in shown.text
    assert "Paused mail." not in again.text
