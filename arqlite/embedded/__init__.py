"""A real Valkey for people who set no `REDIS_URL`: started on demand, shared, gone with its last user.

    server = EmbeddedServer.ensure()            # attach to this project's server, or start it
    pool = await create_pool(RedisSettings.from_dsn(server.url(database=1)))

The server listens on a Unix socket in the project's data folder (`.arqlite`), keeps its data in an
append-only file, and is meant for development, tests and small single-host use: it has no TLS and nothing on
the network. Processes of one project find each other through four lock files in that folder; the kernel
releases a lock however its process ends:

| lock file     | held by                   | meaning                                                        |
|---------------|---------------------------|----------------------------------------------------------------|
| `start.lock`  | whoever starts or stops   | one at a time                                                  |
| `server.lock` | the server itself         | it is alive; the file holds its process id                     |
| `users.lock`  | every user, shared        | somebody needs the server                                      |
| `keeper.lock` | the keeper                | a process waits for the last user to go, to stop the server    |
"""

from __future__ import annotations

from .home import data_home, is_embedded
from .server import EmbeddedServer, status, stop, wait_until_gone
from .wire import ServerInfo

__all__ = ["EmbeddedServer", "ServerInfo", "data_home", "is_embedded", "status", "stop", "wait_until_gone"]
