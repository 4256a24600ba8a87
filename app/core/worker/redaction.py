"""Keeping secrets out of the worker's log, which shows the arguments of every job."""

from __future__ import annotations

import logging
import re

from app.core.tasks import REDACTED, SECRETS

_JOB_LOGGER = "arqlite.worker"
_SECRET_FUNCTIONS = "|".join(map(re.escape, SECRETS))
# Read in the finished line, whatever the format it is made with. The arguments end with the line's last
# parenthesis, for they may hold some of their own; a line without one is blanked to its end.
_CALL = re.compile(rf"\b({_SECRET_FUNCTIONS})(?:\(.*\)|\(.*)", re.DOTALL)


class HideSecrets(logging.Filter):
    """Blanks the arguments of jobs that carry secrets; nothing else of a line is changed."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line pass, some of them with less in it."""
        line = record.getMessage()
        shown = _CALL.sub(rf"\1({REDACTED})", line)
        if shown != line:
            record.msg, record.args = shown, ()
        return True


def hide_secrets() -> None:
    """Put the filter in front of the worker's log, once."""
    logger = logging.getLogger(_JOB_LOGGER)
    if not any(isinstance(known, HideSecrets) for known in logger.filters):
        logger.addFilter(HideSecrets())
