"""A walk through a dashboard by the links of its own pages, once to each kind of page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from browser_toys import Watched

from arqlite.console import Query
from arqlite.errors import ConfigurationError

Shape = tuple[int, str]
SHAPES: list[Shape] = [(width, theme) for width in (360, 1024, 1920) for theme in ("light", "dark")]
MOST_PAGES = 120

_LINKS = """
() => [...document.querySelectorAll("a[href]")].map((link) => {
  const row = link.closest("table.rows tr");
  const is = row && link.closest("td.job") ? row.querySelector(".state").textContent.trim() : "";
  return [link.getAttribute("href"), is.replace(/\\s+/g, " ")];
})
"""


# Text that is so narrow and so high has one letter in each line.
_FAULTS = """
() => [document.documentElement.scrollWidth - innerWidth, ...[
  ...document.querySelectorAll("main *"),
].filter((it) => {
  const own = [...it.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
  if (own.map((node) => node.data.trim()).join("").length <= 20) return false;
  const box = it.getBoundingClientRect();
  return box.width > 1 && box.width < 48 && box.height > 160;
}).map((it) => it.outerHTML.slice(0, 120))]
"""
# Narrow and light all that axe knows is asked; what the dark theme may change are contrasts. To list each
# element that is well would take longer than to find those that are not.
_AXE: dict[Shape, dict[str, Any]] = {
    (360, "light"): {"resultTypes": ["violations"]},
    (1024, "dark"): {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]},
}


@dataclass
class Findings:
    """What is wrong with pages in each shape.

    Attributes:
        watched: who looks.
        kinds: the first path of each kind of page, in the order of the walk.
        wide: pages that are wider than the window, and by how much.
        crushed: text for which there is no room.
        barriers: what keeps somebody from reading or using a page, as axe says.
        axe: is asked of the kinds of pages that `asked` says; None is nobody.
    """

    watched: Watched
    kinds: dict[str, str] = field(default_factory=dict)
    wide: dict[Shape, list[str]] = field(default_factory=dict)
    crushed: dict[Shape, list[str]] = field(default_factory=dict)
    barriers: dict[Shape, list[str]] = field(default_factory=dict)
    axe: Any = None
    asked: Callable[[str], bool] = bool

    def look(self, kind: str, path: str) -> None:
        """Look at the page that is open, in each shape."""
        page = self.watched.page
        # Lists look alike, whatever is filtered: those are looked at where there is least room only.
        shapes = SHAPES[:2] if kind.startswith("jobs ") else SHAPES
        # Another size is laid out anew: each page begins with the one that the page before ended with.
        is_wide = page.viewport_size["width"] == SHAPES[-1][0]
        for shape in reversed(shapes) if is_wide else shapes:
            width, theme = shape
            if page.viewport_size["width"] != width:
                page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            wider, *crushed = page.evaluate(_FAULTS)
            self.wide.setdefault(shape, []).extend([f"{path}: by {wider} px"] if wider > 0 else [])
            self.crushed.setdefault(shape, []).extend(f"{path}: {one}" for one in crushed)
            if self.axe is not None and self.asked(kind) and shape in _AXE:
                found = self.axe.run(page, options=_AXE[shape]).response["violations"]
                self.barriers.setdefault(shape, []).extend(
                    f"{path}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:150]}"
                    for one in found
                    if one["impact"] in {"serious", "critical"}
                )


def walk(
    watched: Watched,
    prefix: str = "",
    *,
    also: Sequence[str] = (),
    look: Callable[[str, str], None] | None = None,
) -> dict[str, str]:
    """Follow the links of a dashboard from its first page, until each kind of page was seen once.

    Args:
        watched: who walks.
        prefix: under which the dashboard is mounted.
        also: paths that are walked to, too, below the prefix.
        look: is called on each page with its kind and its path.

    Returns:
        The first path of each kind of page, in the order of the walk.
    """
    walked: dict[str, str] = {}
    waiting = deque([("overview", f"{prefix}/"), *((path, prefix + path) for path in also)])
    known = {"overview"}
    while waiting:
        kind, path = waiting.popleft()
        assert len(walked) < MOST_PAGES, f"the walk does not end: {list(walked)}"
        answer = watched.page.goto(watched.origin + path, wait_until="load")
        assert answer.status < 500, f"{path}: {answer.status}"
        walked[kind] = path
        if look is not None:
            look(kind, path)
        for href, said in watched.page.evaluate(_LINKS):
            if href.startswith("#"):
                continue
            assert href.startswith(f"{prefix}/"), f"{path} leads out of the dashboard, to {href}"
            if (other := kind_of(href.removeprefix(prefix), said)) not in known:
                known.add(other)
                waiting.append((other, href))
    return walked


def kind_of(href: str, said: str = "") -> str:
    """What kind of page a link leads to: its route, and what its query is about.

    Args:
        href: the link, without the prefix of the dashboard.
        said: what the row of a job says of its state.
    """
    parts = urlsplit(href)
    route, *rest = parts.path.strip("/").split("/")
    about = [_about(name, value) for name, value in parse_qsl(parts.query)]
    if route == "jobs" and rest:
        return f"job {said}" if said else "job, elsewhere"
    return " ".join([route or "overview", *rest, *about])


def _about(name: str, value: str) -> str:
    if name != "q":
        return name
    try:
        terms = Query.parse(value).terms
    except ConfigurationError:
        return "q"
    return terms[0].name if len(terms) == 1 else "several words"
