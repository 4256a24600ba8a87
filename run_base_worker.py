"""Run the base worker: `python run_base_worker.py`, with the options of the command `arqlite`."""

import sys

from arqlite.cli import main

if __name__ == "__main__":
    main(args=["app.core.worker.base_settings.WorkerSettings", *sys.argv[1:]])
