"""The ledger's tables, revision by revision.

A revision is a file in `versions/`: its number, the one before, and `upgrade(op)`, which is handed Alembic's
operations. Revisions only add. Workers of the version before go on while the tables are ahead of them, so a
new column is nullable or has a default of the server, and nothing is renamed or dropped. What they could not
live with begins the next thousand: `1000` after `0004` tells them to stop.

Tests compare the last revision with the metadata, and print the operations that are missing.
"""

from __future__ import annotations

HEAD = "0002"
"""The last revision. Told here as well, so that a worker whose tables are up to date need not load
Alembic."""

VERSION_TABLE = "arqlite_alembic_version"
"""Which revision the tables are at; apart from the `alembic_version` of the application."""
