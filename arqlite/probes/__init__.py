"""How a worker tells orchestrators that it is alive, ready and started: by HTTP, and to systemd."""

from __future__ import annotations

from .doorkeeper import Probed, probed
from .signs import LedgerSign, Signs
from .systemd import announced, notifier_of_environment

__all__ = ("LedgerSign", "Probed", "Signs", "announced", "notifier_of_environment", "probed")
