"""Settings, all optional: with none of them the application brings its own Valkey and a SQLite file."""

from __future__ import annotations

import logging
from functools import cache, cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from arqlite.connections import RedisSettings
from arqlite.embedded import EmbeddedServer, data_home

logger = logging.getLogger("app.config")

SAMPLE_MAILBOX = Path(__file__).resolve().parent.parent / "sample_mailbox"

_ASYNC_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
}


class Settings(BaseSettings):
    """The application's settings, from the environment and from a file `.env`.

    Attributes:
        REDIS_URL: `redis://…`, `rediss://…` or `unix://…`; without it an embedded Valkey is started.
            A database number in it is not used, for each queue has its own.
        DATABASE_URL: `sqlite:///…` or `postgresql://…`; without it `app.db` in the data folder.
        DATA_DIR: where the embedded server, the SQLite file and unsent mail live; by default `.arqlite`.
        MAILBOX_PATH: the mailbox of the demo user: a folder of .eml files, an mbox file or a Maildir.
        SMTP_HOST: without it, mail is written into `outbox` in the data folder instead of being sent.
        SMTP_TLS: `starttls`, `tls` or `none`; by default STARTTLS where the server offers it.
        MAIL_FROM: who mail comes from.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    REDIS_URL: str | None = None
    DATABASE_URL: str | None = None
    DATA_DIR: Path | None = None
    MAILBOX_PATH: Path = SAMPLE_MAILBOX

    SMTP_HOST: str | None = None
    SMTP_PORT: int = Field(default=587, ge=1, le=65535)
    SMTP_USERNAME: str | None = None
    SMTP_PASSWORD: SecretStr | None = None
    SMTP_TLS: str | None = Field(default=None, pattern="^(starttls|tls|none)$")
    SMTP_TIMEOUT: float = Field(default=30.0, gt=0, description="seconds")
    MAIL_FROM: str = "arqlite demo <demo@example.com>"

    @cached_property
    def data_dir(self) -> Path:
        """The data folder, made if it is missing."""
        return data_home(self.DATA_DIR)

    @cached_property
    def database_url(self) -> str:
        """The database's address with the driver that asyncio needs."""
        if not self.DATABASE_URL:
            return f"sqlite+aiosqlite:///{self.data_dir / 'app.db'}"
        scheme, separator, rest = self.DATABASE_URL.partition("://")
        return f"{_ASYNC_DRIVERS.get(scheme, scheme)}{separator}{rest}"


settings = Settings()


@cache
def redis_url() -> str:
    """Where the queues live. With nothing configured this starts, or joins, the embedded server.

    Only workers and the API's start ask for it, so whoever merely imports the models starts no server.
    The server stays as long as this process, or any other of the project, needs it.
    """
    if not settings.REDIS_URL:
        return _embedded_server().url()
    if database := RedisSettings.from_dsn(settings.REDIS_URL).database:
        logger.warning(
            "REDIS_URL names database %d, which is not used: the queues are in databases 1 and 2",
            database,
        )
    return settings.REDIS_URL


@cache
def _embedded_server() -> EmbeddedServer:
    return EmbeddedServer.ensure(settings.DATA_DIR)
