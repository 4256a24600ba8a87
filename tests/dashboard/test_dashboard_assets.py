"""Files of the dashboard: kept for ever under names that change with them, and nothing from elsewhere."""

from __future__ import annotations

import re

import pytest
from dashboard_toys import pages_app, visitor

from arqlite.dashboard.assets import FOLDER


async def test_files_are_kept_under_names_that_change() -> None:
    """The page names files by what is in them, and browsers may keep those for ever."""
    async with visitor(pages_app()) as client:
        page = (await client.get("/")).text
        [sheet] = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
        answer = await client.get(sheet)

    assert re.fullmatch(r"/static/dashboard\.[0-9a-f]{12}\.css", sheet)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/static/dashboard.css", "/static/%2E%2E%2Fcontext.py", "/static/nothing.js"]
)
async def test_only_named_files_are_served(path: str) -> None:
    """A name without its mark, a way out of the folder and a file that is not there are not found."""
    async with visitor(pages_app()) as client:
        answer = await client.get(path)

    assert answer.status_code == 404


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_files_ask_nobody_else(path: object) -> None:
    """No file loads anything from another server, and no script makes code of text."""
    text = (FOLDER / str(path)).read_text()

    assert [
        url for url in re.findall(r"https?://[^\s\"')]+", text) if url != "http://www.w3.org/2000/svg"
    ] == []
    assert not re.search(r"@import|@font-face|\beval\(|new Function|innerHTML|document\.write", text)
