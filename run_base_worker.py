"""Run the base worker: `python run_base_worker.py`."""

from app.core.worker.base_settings import WorkerSettings
from arqlite import run_worker

if __name__ == "__main__":
    run_worker(WorkerSettings)
