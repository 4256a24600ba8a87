"""How a worker tells orchestrators that it is alive, ready and started: by HTTP, and to systemd."""

from __future__ import annotations

from .signs import LedgerSign, Signs

__all__ = ("LedgerSign", "Signs")
