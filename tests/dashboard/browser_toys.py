"""A dashboard that is really served, and a real browser that looks at it."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag

import pytest
import uvicorn
from dashboard_toys import pages_app
from lacking import part

playwright = part("playwright.sync_api")
playwright.expect.set_options(timeout=15_000)
CHROMIUM = os.environ.get("ARQLITE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@contextmanager
def served(app: Any = None, *, root_path: str = "", **options: Any) -> Iterator[str]:
    """The URL of a dashboard, on a free port of this machine.

    Args:
        app: what is served; None is a dashboard with a made-up console and these options.
        root_path: what a proxy takes away from paths, as of `uvicorn --root-path`.
        options: of the dashboard that is made.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app or pages_app(**options), log_level="error", lifespan="on", root_path=root_path
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()
        assert not thread.is_alive(), "the server did not end"


@contextmanager
def chromium() -> Iterator[Any]:
    """A Chromium without a window; skips where there is none, also under CI: no package brings it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium was found: install one, or name it as ARQLITE_CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Watched:
    """A page, and all that went wrong on it."""

    page: Any
    origin: str
    complaints: list[str] = field(default_factory=list)
    _pages: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", self._refuse)
        self.page.on("request", self._see)
        self.page.on("response", self._judge)

    def open(self, path: str) -> None:
        """Go to a path, and wait until the page is ready for keys."""
        self.page.goto(self.origin + path)
        self.page.wait_for_selector("html[data-js]")

    def _hear(self, message: Any) -> None:
        # Answers are judged by themselves: the console does not say which are of pages that were asked for.
        if message.type in {"error", "warning"} and "the server responded with" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def _refuse(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _see(self, request: Any) -> None:
        if not request.url.startswith((self.origin + "/", "data:")):
            self.complaints.append(f"request: {request.url}")

    def _judge(self, response: Any) -> None:
        request, status, url = response.request, response.status, urldefrag(response.url).url
        if request.is_navigation_request() and request.frame.parent_frame is None:
            # A page with a status such as 400 is one that was asked for. Its script looks at it again, and
            # under the address of a form there is nothing to look at.
            self._pages[url] = {status, 405} if request.method == "POST" else {status}
            is_meant = status < 500
        else:
            is_meant = request.resource_type == "fetch" and status in self._pages.get(url, ())
        if status >= 400 and not is_meant:
            self.complaints.append(f"answer: {status} of {response.url}")


@contextmanager
def looking(browser: Any, origin: str, **options: Any) -> Iterator[Watched]:
    """Somebody with a browser of their own."""
    context = browser.new_context(**options)
    context.set_default_timeout(15_000)
    try:
        yield Watched(context.new_page(), origin)
    finally:
        context.close()
