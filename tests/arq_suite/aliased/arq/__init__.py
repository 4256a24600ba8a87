"""`arq` as another name of arqlite: stands on `sys.path` only while the suite is run on arqlite.

The modules are arqlite's own, not copies; `python -m arq` is `python -m arqlite`.
"""

import importlib
import sys

_MODULES = (
    *("cli", "connections", "constants", "cron", "jobs", "logs", "typing", "utils", "version", "worker"),
)

for _name in _MODULES:
    sys.modules[f"arq.{_name}"] = importlib.import_module(f"arqlite.{_name}")
sys.modules["arq"] = importlib.import_module("arqlite")
