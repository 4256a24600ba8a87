"""README and docs: what they say is what the checkout has."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.demo.__main__ import main as demo
from app.demo.summary import Places, Summary
from arqlite import Worker, call, func
from arqlite.errors import InvalidArguments
from arqlite.model.states import ARQ_STATUS, LEDGER_STATUS, MOVES, JobState

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
FEATURES = [  # of the others, the programs and the application are linked, with all that they import
    *(page for page in sorted((CHECKOUT / "docs").glob("*.md")) if page.stem not in ("cookbook", "app")),
]
SOURCES = [*(CHECKOUT / "docs" / "examples").glob("*.py"), *(CHECKOUT / "app").rglob("*.py")]

# `ctx["progress"](3)` is a call, not a link.
_LINK = re.compile(r"(?<!\w)\[[^\]]+\]\((?!https?:|#|mailto:)([^)#\s]+)")
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `([\w-]+)[^`]*` \|(?: `([^`]*)` \|)?", re.MULTILINE)
_MOVE = re.compile(r"^ +(\w+) --> (\w+)", re.MULTILINE)
_FILE = re.compile(r"`((?:app|scripts|docs|tests)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the checkout, and every path that is named as code, is there."""
    text = page.read_text()
    linked = [page.parent / target for target in _LINK.findall(text)]
    named = [CHECKOUT / target for target in _FILE.findall(text)]

    assert [str(file) for file in linked + named if not file.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_shown_as_it_runs(page: Path) -> None:
    """Every Python block is a part of an example, or of the application: both are run by tests."""
    sources = [source.read_text() for source in SOURCES]

    unknown = [
        block for block in _PYTHON.findall(page.read_text()) if not any(block in text for text in sources)
    ]

    assert unknown == []


@pytest.mark.parametrize("page", FEATURES, ids=lambda page: page.name)
def test_names_are_imported_on_the_page(page: Path) -> None:
    """What a block takes from arqlite is imported by a block of the same page: a reader can copy both."""
    blocks = _PYTHON.findall(page.read_text())
    imported = set().union(*map(_imported, blocks))

    missing = {
        name
        for block in blocks
        for source in SOURCES
        if block in (text := source.read_text())
        for name in _imported(text)
        if re.search(rf"\b{name}\b", block)
    } - imported
    assert missing == set()


def _imported(code: str) -> set[str]:
    """Which names `code` imports from arqlite; a part of a function imports none."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return set()
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("arqlite")
        for alias in node.names
    }


def test_settings_page_has_every_option_with_its_default() -> None:
    """The page of the settings and the worker agree on names and defaults."""
    told = dict(_ROW.findall(_page("settings.md")))
    taken = {name: repr(option.default) for name, option in inspect.signature(Worker).parameters.items()}

    assert told == taken


def test_drawing_of_the_states_is_the_state_machine() -> None:
    """The tour draws every move that a job may make, and no other."""
    drawn = set(_MOVE.findall(_page("internals.md")))

    allowed = {(before.value, after.value) for before, moves in MOVES.items() for after in moves}
    assert drawn == allowed


def test_views_of_the_states_are_told_right() -> None:
    """The tour's table of states has both views as the lookups have them."""
    told = re.findall(r"^\| `(\w+)` \| (\w+) \| ([A-Z]+) \|$", _page("internals.md"), re.MULTILINE)

    assert told == [
        (state.value, ARQ_STATUS[state].value, LEDGER_STATUS[state].value)
        for state in (
            *(JobState.SUSPENDED, JobState.SCHEDULED, JobState.RETRYABLE),
            *(JobState.AVAILABLE, JobState.EXECUTING),
            *(JobState.COMPLETED, JobState.DISCARDED, JobState.CANCELLED),
        )
    ]


def test_files_of_the_tour_are_there() -> None:
    """Every module that the tour names exists."""
    rooms = "model|engine|runtime|ledger|telemetry|lua|inspector|testing|migration|cli"
    named = re.findall(rf"(?<![\w/])((?:{rooms})/[\w/]+\.(?:py|lua))", _page("internals.md"))

    missing = [
        name
        for name in named
        if not any((CHECKOUT / "arqlite" / start / name).exists() for start in ("", "engine"))
    ]
    assert named
    assert missing == []


def test_options_of_the_demo_are_told() -> None:
    """The application's page tells of every option of the demo, and of no other."""
    section = _page("app.md").partition("## The demo's options")[2].partition("In the CSV")[0]
    told = re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE)

    assert sorted(told) == sorted(option.opts[0] for option in demo.params)


def test_keys_of_the_json_summary_are_told() -> None:
    """The application's page tells of every key of the demo's JSON."""
    places = Places(api="", data_dir=CHECKOUT, database="", redis="", logs={})
    summary = Summary(mailbox=CHECKOUT, jobs=[], transactions=[], places=places, seconds=0.0)
    section = _page("app.md").partition("The JSON summary:")[2]
    told = {
        key
        for row in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }

    assert told == set(json.loads(json.dumps(summary.as_dict())))


def test_quickstart_is_shown_whole() -> None:
    """The README shows the quickstart from its first import to its last line."""
    code = (CHECKOUT / "docs" / "examples" / "quickstart.py").read_text().partition("\n\n")[2]

    assert code in _PYTHON.findall((CHECKOUT / "README.md").read_text())


def test_readme_leads_to_every_page() -> None:
    """No page of the docs is left out of the README's table."""
    linked = set(_LINK.findall((CHECKOUT / "README.md").read_text().partition("## Read on")[2]))

    assert {f"docs/{page.name}" for page in (CHECKOUT / "docs").glob("*.md")} - linked == set()


def test_refusal_is_shown_as_it_is() -> None:
    """The wrong call that the README shows is refused in the words it shows."""

    async def greet(ctx: dict[str, Any], name: str) -> str:
        return name

    with pytest.raises(InvalidArguments) as refused:
        call(func(greet, name="greet"), 5)  # type: ignore[arg-type]  # refused by type checkers, too

    shown = (CHECKOUT / "README.md").read_text()
    assert f">>> await pool.enqueue(greet, 5)\nInvalidArguments: {refused.value}\n" in shown


def _page(name: str) -> str:
    return (CHECKOUT / "docs" / name).read_text()
