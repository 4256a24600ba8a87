"""Nobody pays for what is not switched on: not at the import, and not without the packages."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = ("prometheus_client", "opentelemetry", "sentry_sdk", "structlog")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("module", ["arqlite", "arqlite.observe", "arqlite.observe.structlog", "arqlite.cli"])
def test_import_loads_nothing_of_others(module: str) -> None:
    """Importing arqlite, or the door to all this, loads none of these packages."""
    code = f"import {module}, sys; print([name for name in {_HEAVY!r} if name in sys.modules])"

    assert run(code) == "[]"


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("Prometheus", "prometheus_client", "prometheus"),
        ("OpenTelemetry", "opentelemetry", "otel"),
        ("Sentry", "sentry_sdk", "sentry"),
    ],
)
def test_missing_package_is_told_in_words(name: str, package: str, extra: str) -> None:
    """Without its packages a service says which extra brings them."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        f"from arqlite.errors import MissingExtra\n"
        f"try:\n    from arqlite.observe import {name}\nexcept MissingExtra as error:\n    print(error)"
    )

    assert run(code) == f'{name} needs extra packages: pip install "arqlite[{extra}]"'


def test_unknown_name() -> None:
    """What there is not is no attribute."""
    import arqlite.observe

    with pytest.raises(AttributeError, match="has no attribute 'Datadog'"):
        _ = arqlite.observe.Datadog
