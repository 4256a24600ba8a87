"""For FastAPI: pools that live with the application, routes that tell of jobs, and the dashboard in it.

app = FastAPI(lifespan=lifespan(WorkerSettings))
app.include_router(jobs_router())

@app.post("/reports", status_code=202)
async def create(month: str, jobs: Jobs, refer: Refer) -> JobRef:
    return refer(await jobs.enqueue(build_report, month))
"""

from ..errors import MissingExtra

try:
    import fastapi as _fastapi  # noqa: F401 (the package itself, not this one)
except ImportError as error:
    raise MissingExtra("arqlite.fastapi", "fastapi") from error

from .dependencies import Jobs, jobs
from .lifespans import lifespan, open_queues
from .mounting import mount_dashboard
from .queues import OpenQueues
from .references import JobRef, Refer, Referrer
from .routes import jobs_router
from .status import JobProgress, JobStatusOut

__all__ = (
    "JobProgress",
    "JobRef",
    "JobStatusOut",
    "Jobs",
    "OpenQueues",
    "Refer",
    "Referrer",
    "jobs",
    "jobs_router",
    "lifespan",
    "mount_dashboard",
    "open_queues",
)
