"""The ledger's table, which is the library's own."""

from arqlite.ledger import JobRow as Job

__all__ = ["Job"]
