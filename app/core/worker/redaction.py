"""Keeping secrets out of the worker's log, which shows the arguments of every job."""

from __future__ import annotations

import logging

from app.services.task_service import REDACTED, TASKS

_JOB_LOGGER = "arqlite.worker"
# arq's line, which is a part of its API.
_START_LINE = "%6.2fs → %s(%s)%s"


class HideSecrets(logging.Filter):
    """Blanks the arguments of jobs that carry secrets; nothing else of a line is changed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass, some of them with less in it."""
        if record.msg == _START_LINE and isinstance(record.args, tuple):
            since, job, _arguments, rest = record.args
            if str(job).endswith(_SECRET_FUNCTIONS):
                record.args = (since, job, REDACTED, rest)
        return True


_SECRET_FUNCTIONS = tuple(f":{task.function}" for task in TASKS.values() if task.secrets)


def hide_secrets() -> None:
    """Put the filter in front of the worker's log, once."""
    logger = logging.getLogger(_JOB_LOGGER)
    if not any(isinstance(known, HideSecrets) for known in logger.filters):
        logger.addFilter(HideSecrets())
