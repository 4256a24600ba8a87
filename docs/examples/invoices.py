"""Invoices by e-mail: `python invoices.py` (needs aiosmtpd, which plays the mail server)."""

import asyncio
import os
import smtplib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP

from arqlite import Discard, RedisSettings, create_pool, task
from arqlite.embedded import EmbeddedServer
from arqlite.worker import create_worker

REDIS = RedisSettings.from_dsn(os.environ.get("REDIS_URL") or EmbeddedServer.ensure().url())
PAUSE_S = 0.02  # minutes in an application


class Invoice(NamedTuple):
    number: int
    to: str
    cents: int
    sent: bool


class Books:
    """The table of invoices, in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.open() as db:
            db.execute('CREATE TABLE invoices (number INTEGER PRIMARY KEY, "to", cents, sent DEFAULT FALSE)')

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        with (
            closing(sqlite3.connect(self.path, timeout=10)) as db,
            db,
        ):  # leaves with a commit, or rolled back
            yield db

    def write(self, to: str, cents: int) -> int:
        with self.open() as db:
            written = db.execute('INSERT INTO invoices ("to", cents) VALUES (?, ?)', (to, cents))
        assert written.lastrowid is not None
        return written.lastrowid

    def find(self, number: int) -> Invoice | None:
        with self.open() as db:
            row = db.execute("SELECT * FROM invoices WHERE number = ?", (number,)).fetchone()
        return Invoice(*row) if row else None

    def mark_sent(self, number: int) -> None:
        with self.open() as db:
            db.execute("UPDATE invoices SET sent = TRUE WHERE number = ?", (number,))


def as_pdf(invoice: Invoice) -> bytes:
    """Write a page that any viewer shows; stands in for your PDF library."""
    text = f"Invoice {invoice.number}: {invoice.cents / 100:.2f} EUR"
    drawing = f"BT /F1 18 Tf 72 720 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
    ]
    document, starts = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        starts.append(len(document))
        document += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{start:010} 00000 n \n" for start in starts)
    end = f"xref\n0 5\n0000000000 65535 f \n{table}trailer\n<< /Size 5 /Root 1 0 R >>\n"
    return document + f"{end}startxref\n{len(document)}\n%%EOF\n".encode()


def letter(invoice: Invoice, pdf: bytes) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = "billing@shop.example", invoice.to
    mail["Subject"] = f"Invoice {invoice.number}"
    mail["Message-ID"] = f"<invoice-{invoice.number}@shop.example>"  # of a second copy, too
    mail.set_content("Thank you. The invoice is attached.")
    mail.add_attachment(pdf, maintype="application", subtype="pdf", filename=f"invoice-{invoice.number}.pdf")
    return mail


@task(queue="invoices", max_attempts=5, timeout=60, backoff=[PAUSE_S, 120, 600], tags=["invoice"])
def send_invoice(ctx: dict[str, Any], number: int) -> str:
    books: Books = ctx["books"]
    invoice = books.find(number)
    if invoice is None:
        raise Discard(f"there is no invoice {number}")
    if invoice.sent:
        return "sent before"
    mail = letter(invoice, as_pdf(invoice))
    host, port = ctx["smtp"]
    with smtplib.SMTP(host, port, timeout=10) as server:
        server.send_message(mail)
    books.mark_sent(number)
    return f"sent to {invoice.to} at attempt {ctx['job'].attempt}"


class WorkerSettings:
    functions = [send_invoice]
    queue_name = "invoices"
    max_jobs = 3
    redis_settings = REDIS


class Postbox:
    """Stands in for the world's mail servers: busy at the first letter, then takes them all."""

    def __init__(self) -> None:
        self.letters: list[Any] = []
        self.was_busy = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        if not self.was_busy:
            self.was_busy = True
            return "451 too many letters, try again"
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


async def main() -> None:
    postbox = Postbox()
    smtp = await asyncio.get_running_loop().create_server(lambda: SMTP(postbox), "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        books = Books(Path(folder) / "books.db")
        number = books.write("ada@example.org", 4250)
        pool = await create_pool(REDIS)
        first = await pool.enqueue(send_invoice, number)
        lost = await pool.enqueue(send_invoice, 999)
        address = smtp.sockets[0].getsockname()
        worker = create_worker(WorkerSettings, burst=True, ctx={"books": books, "smtp": address})
        await worker.async_run()
        again = await pool.enqueue(send_invoice, number)
        await worker.async_run()
        await worker.close()
    smtp.close()
    await smtp.wait_closed()

    print(await first.result())
    print((await first.errors())[0].message)
    print(await again.result())
    try:
        await lost.result()
    except Discard as discard:
        print("discarded:", discard)
    for mail in postbox.letters:
        [pdf] = mail.iter_attachments()
        print(mail["Subject"], pdf.get_filename(), pdf.get_content()[:8])
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())
