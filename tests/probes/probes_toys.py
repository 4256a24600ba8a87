"""What the tests of the probes share: questions asked as an orchestrator asks them."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from arqlite.probes import Signs


def worker_signs(**told: Any) -> Signs:
    """The signs of a worker at work, but for what is told."""
    at_work = {
        "queue": "mail", "has_reached_redis": True, "has_started": True, "has_turned": True,
        "heard_s": 0.5, "running": 3, "max_jobs": 10,
    }  # fmt: skip
    return Signs(**(at_work | told))


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Ask once, and read status, headers and body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def told(url: str, path: str) -> tuple[int, dict[str, Any]]:
    """Ask once, and read status and JSON."""
    status, _, body = ask(url, path)
    return status, json.loads(body)
