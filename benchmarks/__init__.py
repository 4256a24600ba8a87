"""arqlite beside its peers: same server, same payload, same run. Start with ``python -m benchmarks --help``.

The program runs in the project's own environment. Every system under test runs in subprocesses of its own
virtual environment (`systems/`, `roles.py`), which print JSON lines; all figures about the server are read
from the server itself over a plain socket (`wire.py`), so that no client library colours them.
"""
