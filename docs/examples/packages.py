"""Sync packages from a registry that limits its clients: `python packages.py`."""

import asyncio
import json
import os
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from arqlite import Discard, RedisSettings, Snooze, Unique, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02  # a minute in an application


@task(
    queue="sync",
    max_attempts=10,
    timeout=300,
    backoff=PAUSE_S,
    priority=1,
    unique=Unique(period=3600, keys=["ecosystem", "name"]),
)
def sync_package(ctx: dict[str, Any], ecosystem: str, name: str, *, refresh: bool = False) -> str:
    job = ctx["job"]
    source = "registry" if job.attempt < 3 else "mirror"
    try:
        with urlopen(f"{ctx['registry']}/{source}/{ecosystem}/{name}", timeout=10) as answer:  # noqa: S310
            version = json.load(answer)["version"]
    except HTTPError as error:
        error.close()
        if error.code == 429:
            raise Snooze(float(error.headers.get("Retry-After", 60))) from error
        if error.code == 404:
            raise Discard(f"{source} has no {ecosystem} package {name}") from error
        raise
    return f"{name} {version} from {source}, attempt {job.attempt}, {job.snoozes} snoozes"


class WorkerSettings:
    functions = [sync_package]
    queue_name = "sync"
    rate_limit = (5, 0.5)  # the registry's terms: 5 calls in half a second, from all of us together
    redis_settings = REDIS
    log_results = False


class Registry(BaseHTTPRequestHandler):
    """Stands in for a registry and its mirror: once too busy for `left-pad`, and always ill at `numpy`."""

    calls: Counter[str] = Counter()
    times: list[float] = []
    lock = Lock()

    def do_GET(self) -> None:
        with self.lock:
            self.calls[self.path] += 1
            self.times.append(time.monotonic())
        _, source, _, name = self.path.split("/")
        if name == "left-pad" and self.calls[self.path] == 1:
            self.answer(429)
        elif name == "no-such-thing":
            self.answer(404)
        elif name == "numpy" and source == "registry":
            self.answer(503)
        else:
            self.answer(200)

    def answer(self, status: int) -> None:
        body = b'{"version": "1.2.3"}'
        self.send_response(status)
        self.send_header("Retry-After", str(PAUSE_S))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Leave the terminal to the program."""


async def main() -> None:
    registry = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    Thread(target=registry.serve_forever, daemon=True).start()
    pool = await create_pool(REDIS)
    plain = [await pool.enqueue(sync_package, "pypi", f"package-{number}") for number in range(6)]
    busy = await pool.enqueue(sync_package, "npm", "left-pad")
    missing = await pool.enqueue(sync_package, "npm", "no-such-thing")
    ill = await pool.enqueue(sync_package, "pypi", "numpy")
    again = await pool.enqueue(sync_package, "npm", "left-pad", refresh=True)

    address = f"http://127.0.0.1:{registry.server_port}"
    workers = [create_worker(WorkerSettings, burst=True, ctx={"registry": address}) for _ in range(2)]
    await asyncio.gather(*(worker.async_run() for worker in workers))

    print(await plain[0].result())
    print(await busy.result())
    print(await ill.result())
    try:
        await missing.result()
    except Discard as discard:
        print("discarded:", discard)
    print("asked for within the hour:", again.conflict)
    times = sorted(Registry.times)
    print(
        len(times), "calls, 6 in a hurry:", any(b - a < 0.25 for a, b in zip(times, times[5:], strict=False))
    )
    for worker in workers:
        await worker.close()
    await pool.aclose()
    registry.shutdown()
    registry.server_close()


if __name__ == "__main__":
    asyncio.run(main())
