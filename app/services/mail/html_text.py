"""HTML as the text that a reader sees: lines and table rows kept, hidden parts and scripts dropped."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree  # type: ignore[import-untyped]  # lxml ships no type stubs

from app.services.mail.charset import clean_text

_DROPPED = frozenset(
    {
        "head",
        "style",
        "script",
        "title",
        "template",
        "noscript",
        "svg",
        "math",
        "object",
        "iframe",
        "select",
        "textarea",
        "audio",
        "video",
    }
)
_BLOCKS = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "ul",
    }
)
_CELLS = frozenset({"td", "th"})
CELL_GAP = "\t"
"""Stands between two cells of one table row."""

_HIDING = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|max-height\s*:\s*0(?:px)?\s*(?:;|!|$)"
    r"|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$))",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_HIDDEN_TEXT = re.compile(r"<(?:style|script|!--)|display\s*:\s*none|hidden", re.IGNORECASE)
_CENTS = re.compile(r"\d\d")
_SPACES = re.compile(r"[ \t\n\r\f]+")


class _Lines:
    """Text being laid out: finished lines and the one being written."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._open: list[str] = []

    def write(self, text: str) -> None:
        self._open.append(text)

    def write_raised(self, text: str) -> None:
        """Shops print cents small and raised ("$24" and "99" above): without a mark they would read 2499."""
        before = "".join(self._open).rstrip()
        mark = "." if before[-1:].isdigit() and _CENTS.fullmatch(text.strip()) else ""
        self.write(mark + text)

    def end_line(self) -> None:
        line = _SPACES.sub(" ", "".join(self._open)).strip()
        if line:
            self._done.append(line)
        self._open = []

    def add_lines(self, lines: list[str]) -> None:
        self.end_line()
        self._done.extend(lines)

    def finish(self) -> list[str]:
        self.end_line()
        return self._done


class _Layout:
    """Follows elements as they start and end; a cell and a row are laid out on their own, then placed."""

    def __init__(self) -> None:
        self._frames: list[_Lines] = [_Lines()]
        self._rows: list[list[list[str]]] = []

    def start(self, tag: str) -> None:
        if tag == "tr":
            self._rows.append([])
            self._frames.append(_Lines())
        elif tag in _CELLS:
            self._frames.append(_Lines())
        elif tag in _BLOCKS or tag == "br":
            self._frames[-1].end_line()

    def write(self, text: str | None) -> None:
        if text:
            self._frames[-1].write(text)

    def write_raised(self, text: str | None) -> None:
        if text:
            self._frames[-1].write_raised(text)

    def end(self, tag: str) -> None:
        if tag in _CELLS:
            cell = self._frames.pop().finish()
            if self._rows:
                self._rows[-1].append(cell)
            else:
                self._frames[-1].add_lines(cell)
        elif tag == "tr":
            stray = self._frames.pop().finish()
            self._frames[-1].add_lines(stray + _row_lines(self._rows.pop()))
        elif tag in _BLOCKS:
            self._frames[-1].end_line()

    def finish(self) -> list[str]:
        return self._frames[0].finish()


def html_to_text(html: str) -> str:
    """The visible text of an HTML document or fragment; "" if there is none. Never raises."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = etree.fromstring(clean_text(html).encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        return ""
    if root is None:
        return ""
    layout = _Layout()
    _walk(root, layout)
    return "\n".join(layout.finish()) or _without_tags(html)


def _without_tags(html: str) -> str:
    """The text of what is no HTML at all, or nested deeper than the parser follows."""
    return "" if _HIDDEN_TEXT.search(html) else " ".join(_TAG.sub(" ", html).split())


def _walk(root: Any, layout: _Layout) -> None:
    """Visit every visible element; by hand, since a mail may nest deeper than Python recurses."""
    stack: list[tuple[Any, bool]] = [(root, True)]
    while stack:
        element, is_start = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else ""
        if is_start and not _is_hidden(element, tag):
            layout.start(tag)
            if tag == "sup":
                layout.write_raised(element.text)
            else:
                layout.write(element.text)
            stack.append((element, False))
            stack.extend((child, True) for child in reversed(element))
            continue
        if not is_start:
            layout.end(tag)
        if element is not root:
            layout.write(element.tail)


def _is_hidden(element: Any, tag: str) -> bool:
    if not tag or tag in _DROPPED or element.get("hidden") is not None:
        return True
    return _HIDING.search(element.get("style") or "") is not None


def _row_lines(cells: list[list[str]]) -> list[str]:
    """A row of short cells becomes one line; where a cell holds several lines they follow each other."""
    filled = [cell for cell in cells if cell]
    if all(len(cell) == 1 for cell in filled):
        return [CELL_GAP.join(cell[0] for cell in filled)] if filled else []
    return [line for cell in filled for line in cell]
