"""The functions that the workers run, as the queues and the ledger know them."""

from __future__ import annotations

from dataclasses import dataclass

BASE_QUEUE = "base"
EMAIL_QUEUE = "email"

REDACTED = "***"
"""What stands for a secret in the ledger and in logs."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the ledger and the queues have to know about a function.

    Attributes:
        function: the name the worker knows it by.
        job_type: what the ledger calls it.
        queue: which queue it goes to.
        secrets: arguments that the ledger must not hold. Such a job cannot be tried again, nor put back
            into Redis from its row.
    """

    function: str
    job_type: str
    queue: str
    secrets: frozenset[str] = frozenset()


SAMPLE = Task("sample_task", "SAMPLE", BASE_QUEUE)
SEND_EMAIL = Task("send_email", "SEND_EMAIL", EMAIL_QUEUE)
SEND_OTP = Task("send_otp_email", "SEND_OTP_EMAIL", EMAIL_QUEUE, secrets=frozenset({"otp"}))
EMAIL_FETCH = Task("run_email_fetch", "EMAIL_FETCH", EMAIL_QUEUE)
EMAIL_EXTRACTION = Task("run_email_extraction", "EMAIL_EXTRACTION", EMAIL_QUEUE)

TASKS = {task.function: task for task in (SAMPLE, SEND_EMAIL, SEND_OTP, EMAIL_FETCH, EMAIL_EXTRACTION)}

SECRETS = {task.function: tuple(sorted(task.secrets)) for task in TASKS.values() if task.secrets}
"""By function, what the ledger shows as `***`."""
