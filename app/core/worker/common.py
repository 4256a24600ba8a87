"""What both workers have in common."""

from __future__ import annotations


class CommonSettings:
    """The options of every worker of the application; their settings classes inherit them."""

    allow_abort_jobs = True
    # After Ctrl-C running jobs may finish, this many seconds; a second Ctrl-C gives them back at once.
    job_completion_wait = 15
    # /health tells of a dead worker after this many seconds.
    health_check_interval = 10
