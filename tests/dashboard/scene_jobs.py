"""What the workers of a scene run: one function for each way that a job may go."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from arqlite import Cancel, Discard, Snooze, func, task
from arqlite.model.functions import Function

LONG_AGO_S = 40_000
"""A delay after which no test waits."""


class CardDeclined(Exception):
    """No money, and a reason that is longer than a table is wide."""


async def send_mail(ctx: dict[str, Any], to: str, **options: Any) -> dict[str, Any]:
    ctx["log"].info("connected to smtp.example.com for %s", to)
    return {"to": to, "size": 12345678901234567890123, "accepted": ["250 2.0.0 OK"]}


async def add_up(ctx: dict[str, Any], numbers: list[int]) -> int:
    return sum(numbers)


async def import_rows(ctx: dict[str, Any], path: str, rows: int = 20_000) -> int:
    """Run until the scene lets it end, and tell how far it is."""
    for row in (0, 4_500, 12_417):
        ctx["log"].info("%s: read %d rows", path, row)
    ctx["log"].warning("row 4711 has no account: Grüße aus 東京")
    await ctx["progress"](12_417, rows, "reading rows")
    await ctx["gates"].wait(ctx["job_id"])
    await ctx["progress"](rows, rows, "done")
    return rows


async def summarize(ctx: dict[str, Any], rows: int) -> str:
    return f"{rows} rows"


async def notify(ctx: dict[str, Any], *told: Any) -> None:
    """Do nothing."""


@task(max_attempts=1, tags=["billing"])
async def charge_card(ctx: dict[str, Any], card: dict[str, str], amount: str = "0.00") -> None:
    try:
        card["number"]
    except KeyError as error:
        raise CardDeclined(
            f"The issuer declined {amount} € for the account of {card.get('holder', 'nobody')}: insufficient "
            "funds, and nobody knows what the card's number is"
        ) from error


@task(max_attempts=5, backoff=LONG_AGO_S)
async def sync_account(ctx: dict[str, Any], account: int) -> None:
    raise ConnectionError(f"account {account}: connection refused by crm.example.com:443")


@task(max_attempts=3, backoff=0)
async def resize_image(ctx: dict[str, Any], name: str) -> str:
    if ctx["job"].attempt < 3:
        raise OSError(28, "No space left on device", name)
    return name


@task(max_attempts=1, timeout=0.05)
async def render_report(ctx: dict[str, Any], year: int) -> None:
    await asyncio.sleep(LONG_AGO_S)


@task
async def train(ctx: dict[str, Any], model: str) -> None:
    raise Snooze(LONG_AGO_S)


@task
async def translate(ctx: dict[str, Any], text: str) -> None:
    raise Cancel("nobody wants it any more")


@task
async def reindex(ctx: dict[str, Any], index: str) -> None:
    raise Discard("the index is read-only")


async def count_pages(ctx: dict[str, Any], pages: int) -> int:
    return pages


async def reconcile_the_ledger_of_every_old_customer(ctx: dict[str, Any]) -> None:
    """Have a name that is longer than a phone is wide."""


async def order(ctx: dict[str, Any], number: int) -> None:
    """Enqueue others, whose parent it is then."""
    for part in range(3):
        await ctx["pool"].options(queue="mail").enqueue("notify", number, part)


async def clean_up(ctx: dict[str, Any]) -> str:
    logging.getLogger("shop.cleaning").info("nothing to clean up")
    return "clean"


@task(max_attempts=1)
async def broken_cron(ctx: dict[str, Any]) -> None:
    raise PermissionError(13, "Permission denied", "/var/lib/shop/reports")


MAIL_FUNCTIONS: list[Function[Any, Any]] = [
    func(function)
    for function in (
        send_mail, add_up, import_rows, summarize, notify, charge_card, sync_account, resize_image,
        render_report, train, translate, reindex, order, clean_up, broken_cron,
        reconcile_the_ledger_of_every_old_customer,
    )
]  # fmt: skip
MAIL_FUNCTIONS.append(func(count_pages, strict_arguments=True))
ARCHIVE_FUNCTIONS: list[Function[Any, Any]] = [func(one) for one in (send_mail, import_rows, notify)]
