"""How the demo says things: durations, counts, amounts, and what became of a job."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

from rich.text import Text

from app.demo.following import FollowedJob

STYLES = {"QUEUED": "dim", "RUNNING": "cyan", "SUCCESS": "green", "FAILED": "bold red", "CANCELLED": "yellow"}
_ICONS = {"SUCCESS": "✔", "FAILED": "✘", "CANCELLED": "⊘"}

_TWO_DIGITS = Decimal("0.01")
_ONE = Decimal(1)
# ISO 4217: the currencies that have no smaller unit.
_WHOLE_CURRENCIES = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
        *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)


def icon(job: FollowedJob) -> Text:
    """A mark for how a job ended."""
    return Text(_ICONS.get(job.status, "·"), style=STYLES[job.status])


def span(seconds: float) -> str:
    """A duration as people say it: `<1 ms`, `3 ms`, `0.41 s`, `12 s`, `2 min 5 s`."""
    if seconds < 0.0005:
        return "<1 ms"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 e-mail`, `2 e-mails`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def money(amount: Decimal | None, currency: str | None) -> str:
    """An amount with two digits after the dot, of yen and their like with none; never rounded.

    `1180.38`, `12963` for yen, and `1.234` where the third digit is there and means something.
    """
    if amount is None:
        return ""
    step = _ONE if currency in _WHOLE_CURRENCIES else _TWO_DIGITS
    shown = amount.quantize(step) if amount == amount.quantize(step) else amount.normalize()
    return format(shown, "f")


def outcome(job: FollowedJob) -> str:
    """What a job that has ended gave back, in a few words."""
    if job.status != "SUCCESS":
        return one_line(job.error or "no reason is known")
    told = job.output
    if "fetched_count" in told:
        words = [f"{told['fetched_count']} fetched", f"{told['saved_count']} saved"]
        if unreadable := told.get("unreadable_count"):
            words.append(f"{unreadable} unreadable")
    elif "processed_count" in told:
        words = [f"{told['processed_count']} read", plural(told["transaction_count"], "transaction")]
        if failed := told.get("failed_count"):
            words.append(f"{failed} failed")
    else:
        words = [one_line(str(told.get("message", "")))]
    return ", ".join(words)


def one_line(text: str) -> str:
    """Text that came from an e-mail, safe for a terminal: no control characters, no line breaks."""
    visible = (" " if char.isspace() else char for char in text)
    # Cc would move the cursor, Cf (bidirectional marks) would make the line read as something else.
    return " ".join("".join(char for char in visible if unicodedata.category(char)[0] != "C").split())
