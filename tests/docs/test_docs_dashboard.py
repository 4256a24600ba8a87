"""The page of the dashboard: its example is run, and its tables are compared."""

from __future__ import annotations

import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from arqlite.cli.dashboard import dashboard
from arqlite.dashboard import ADMIN, OPERATOR, create_dashboard
from arqlite.dashboard.api import OPERATIONS

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "dashboard.md").read_text()
TOKEN = "a-token-that-is-long"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, real_url: str) -> ModuleType:
    """The example, with its secrets in the environment."""
    for name, value in (("REDIS_URL", real_url), ("OPS_PASSWORD", "secret"), ("OPS_TOKEN", TOKEN)):
        monkeypatch.setenv(name, value)
    path = CHECKOUT / "docs" / "examples" / "dashboard.py"
    spec = importlib.util.spec_from_file_location("dashboard_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.real
async def test_example_lets_in_whom_it_says(example: ModuleType) -> None:
    """People come by password, programs by token, staff by session; each may what the page says."""
    transport = httpx.ASGITransport(example.app, client=("192.0.2.7", 4000))
    queues = "jobs/api/v1/queues"
    async with (
        example.lifespan(example.app),
        httpx.AsyncClient(transport=transport, base_url="https://ops.example.com") as client,
    ):
        nobody = await client.get(f"/ops/{queues}")
        person = await client.get("/ops/jobs/queues", auth=("ada", "secret"))
        token = {"Authorization": f"Bearer {TOKEN}"}
        program = await client.get(f"/ops/{queues}", headers=token)
        acting = await client.post(f"/ops/{queues}/mail/pause", headers=token)
        stranger = await client.get("/staff/jobs/")
        bob = await client.get(f"/staff/{queues}", headers={"Cookie": "session=s3ss10n-of-bob"})

    assert nobody.status_code == 401
    assert person.status_code == 200
    assert [queue["key"] for queue in program.json()] == ["billing", "mail"]
    assert acting.status_code == 403
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/login")
    assert [queue["key"] for queue in bob.json()] == ["billing"]


def test_arguments_are_told() -> None:
    """The page has every argument of `create_dashboard`, and no other."""
    section = PAGE.partition("| argument |")[2].partition("##")[0]

    told = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert told == list(inspect.signature(create_dashboard).parameters)[1:]


def test_options_are_told() -> None:
    """The page has every option of `arqlite dashboard`, and no other."""
    told = re.findall(r"^\| `(--[\w-]+)` \|", PAGE, re.MULTILINE)

    assert told == [param.opts[0] for param in dashboard.params if param.param_type_name == "option"]


def test_rights_are_told() -> None:
    """The page's table says of each right which preset has it."""
    rows = re.findall(r"^\| (`\w+\.\w+`.*?) \| [^|]+ \| (yes)? ?\| (yes)? ?\|$", PAGE, re.MULTILINE)
    rights = {
        (right, bool(operator)) for names, operator, _ in rows for right in re.findall(r"\w+\.\w+", names)
    }

    assert {right for right, _ in rights} == ADMIN.can
    assert {right for right, may in rights if may} == OPERATOR.can


def test_api_is_told() -> None:
    """The page names every path of the API."""
    section = PAGE.partition("## The API")[2]

    named = {path.partition("?")[0] for path in re.findall(r"[\w{}./-]+(?:\?[\w=&]*)?", section)}
    assert [one.path[1:] for one in OPERATIONS if one.path[1:] not in named and one.name != "openapi"] == []
