"""`arqlite config show`: what settings come to, and where each value is from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from .exits import ending_in_words
from .output import output_option, tell_json, tell_table
from .targets import OfSettings, all_settings, loaded

if TYPE_CHECKING:
    from ..connections import RedisSettings

_HIDDEN = "***"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """An option of a worker.

    Attributes:
        name: what it is called.
        value: what it comes to, in text, without secrets.
        source: the class that says so, the variable it is from, or `default`.
    """

    name: str
    value: str
    source: str


@click.group()
def config() -> None:
    """What settings come to, and where each value is from."""


@config.command(cls=OfSettings)
@all_settings
@click.option("--all", "shows_all", is_flag=True, help="Also what nobody has set.")
@output_option()
def show(settings: tuple[str, ...], shows_all: bool, output: str) -> None:
    """Show what settings come to, and where each value is from.

    A value is from the settings class, from a class that it is based on, from a variable of the environment,
    from the `arqlite dev` of the project, or it is the default. Passwords are not shown. Nothing is
    connected to.
    """
    found = loaded(settings)
    with ending_in_words():
        told = {_name_of(one): list(_settings_of(one, shows_all or output == "json")) for one in found}
    if output == "json":
        tell_json(told)
        return
    for place, (name, options) in enumerate(told.items()):
        if len(told) > 1:
            click.echo(f"{'' if place == 0 else chr(10)}{name}")
        tell_table(("option", "value", "from"), [(one.name, one.value, one.source) for one in options])


def _settings_of(settings: Any, shows_all: bool) -> Iterator[Setting]:
    from ..settings import WorkerOptions, get_kwargs, with_default_ledger
    from ..surroundings import LEDGER_VARIABLE, REDIS_VARIABLE, redis_url

    given = get_kwargs(settings)
    full = with_default_ledger(given)
    made = WorkerOptions(**full)  # which checks them, and turns some into what they mean
    for option in dataclasses.fields(WorkerOptions):
        value = getattr(made, option.name)
        source = _source(settings, option.name) if option.name in given else "default"
        if option.name == "timezone" and value is None and (variable := _zone_variable()):
            value, source = os.environ[variable], f"environment {variable}"
        if option.name == "ledger" and "ledger" in full and "ledger" not in given:
            source = _provider(LEDGER_VARIABLE)
        if option.name == "redis_settings":
            value = _redis(made)
            if made.redis_settings is None and value is not None and redis_url() is not None:
                source = _provider(REDIS_VARIABLE)
        source += _as_environment_says(given.get(option.name))
        if shows_all or source != "default" or option.name in ("queue_name", "redis_settings"):
            yield Setting(option.name, _shown(option.name, value), source)


def _redis(made: Any) -> Any:
    """Where Redis is: of a pool that is given its connection, else of the settings, else where arq looks."""
    from ..redis_settings import default_redis_settings

    return made.redis_settings or (None if made.redis_pool is not None else default_redis_settings())


def _provider(variable: str) -> str:
    """Who says what settings leave open: the variable, else the `arqlite dev` of the project."""
    return f"environment {variable}" if os.environ.get(variable) else "arqlite dev"


def _source(settings: Any, name: str) -> str:
    if isinstance(settings, Mapping):
        return "the dict"
    if not isinstance(settings, type) and name in getattr(settings, "__dict__", {}):
        return "the instance"
    kind = settings if isinstance(settings, type) else type(settings)
    owner = next((base for base in kind.__mro__ if name in vars(base)), kind)
    return f"{_path(owner)}{'' if owner is kind else ', a base'}"


def _zone_variable() -> str | None:
    from ..constants import timezone_env_vars

    return next((name for name in timezone_env_vars if os.environ.get(name)), None)


def _as_environment_says(value: Any) -> str:
    """Name the variable that a Redis or a ledger is read from: settings read those by themselves."""
    for name, text in sorted(os.environ.items()):
        if "://" in text and _is_read_from(value, text):
            return f", environment {name}"
    return ""


def _is_read_from(value: Any, text: str) -> bool:
    from ..connections import RedisSettings

    if isinstance(value, RedisSettings):
        try:
            return RedisSettings.from_dsn(text) == value
        except (RuntimeError, ValueError):
            return False
    told = value if isinstance(value, str) else _ledger_url(value, hides=False)
    return bool(told) and told.partition("://")[2] == text.partition("://")[2]


def _ledger_url(value: Any, *, hides: bool) -> str:
    """The URL of a ledger; empty for anything else, and without a ledger there need not be an SQLAlchemy."""
    url: Any = getattr(value, "url", None)
    if not hasattr(url, "render_as_string"):
        return ""
    if not hides:
        return str(url.render_as_string(hide_password=False))
    from ..ledger.databases import shown_url

    return shown_url(url)


def _shown(name: str, value: Any) -> str:
    from ..connections import RedisSettings
    from ..utils import truncate

    if isinstance(value, RedisSettings):
        return _dsn(value)
    if url := _ledger_url(value, hides=True):
        return f"{url} {getattr(value, 'mode', '')}".rstrip()
    if name == "ctx" and value:
        return f"{len(value)} values: {', '.join(map(str, value))}"  # which may be anything, secrets too
    if name == "functions":
        return truncate(", ".join(map(_job_name, value)) or "none", _LONGEST)
    return truncate(_worded(value), _LONGEST)


def _job_name(given: Any) -> str:
    """What jobs name a function by."""
    from ..model.functions import Function

    if isinstance(given, str | Function):
        return given if isinstance(given, str) else given.name
    return getattr(given, "__qualname__", None) or _worded(given)


def _worded(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return str(value)
    if isinstance(value, Sequence | set | frozenset):
        return ", ".join(map(_worded, value)) or "none"
    if callable(value) or hasattr(value, "name"):
        return str(getattr(value, "name", None) or _path(value))
    return getattr(value, "words", None) or _without_password(value)


def _without_password(value: object) -> str:
    """An object of others may tell anything in its repr: its class will do."""
    return (
        repr(value)
        if type(value).__module__.startswith(("arqlite.", "zoneinfo", "datetime"))
        else _path(type(value))
    )


def _dsn(redis: RedisSettings) -> str:
    user = redis.username or ""
    login = f"{user}:{_HIDDEN}@" if redis.password else f"{user}@" if user else ""
    if redis.unix_socket_path:
        return f"unix://{login}{redis.unix_socket_path}?db={redis.database}"
    scheme = "rediss" if redis.ssl else "redis"
    if isinstance(redis.host, str):
        return f"{scheme}://{login}{redis.host}:{redis.port}/{redis.database}"
    hosts = ",".join(f"{host}:{port}" for host, port in redis.host)
    if not redis.sentinel:
        return f"{scheme}+cluster://{login}{hosts}/{redis.database}"
    return f"{scheme}+sentinel://{login}{hosts}/{redis.sentinel_master}/{redis.database}"


def _path(found: Any) -> str:
    return f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', type(found).__name__)}"


def _name_of(settings: Any) -> str:
    if isinstance(settings, Mapping):
        return "the dict"
    return _path(settings if isinstance(settings, type) else type(settings))
