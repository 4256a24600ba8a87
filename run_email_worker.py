"""Run the e-mail worker: `python run_email_worker.py`."""

from app.core.worker.email_settings import WorkerSettings
from arqlite import run_worker

if __name__ == "__main__":
    run_worker(WorkerSettings)
