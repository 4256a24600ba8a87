"""The demo's way to the application: its REST API, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from app.demo.errors import DemoError

PAGE_SIZE = 500
MAX_FETCH = 100_000
_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class EmailCounts:
    """How many e-mails of an account there are, and how many of them wait to be read."""

    total: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that the API took: its id, and where to ask for it."""

    job_id: str
    status_url: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger has.

    Attributes:
        open: how many jobs have not ended.
        ended: how many runs ended in which way.
    """

    open: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)


NO_LEDGER = Ledger()


class ApiClient:
    """Speaks to the API.

    Every method but `health` raises DemoError, in words, when the API does not answer as it should.
    """

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url
        # trust_env: a proxy of the environment knows nothing of this machine's loopback interface.
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_ANSWER_SECONDS, trust_env=False, transport=transport
        )

    async def health(self) -> Mapping[str, Any] | None:
        """What `/health` tells, whatever its status code; None while nobody listens."""
        try:
            response = await self._http.get("/health")
            found: dict[str, Any] = response.json()
        except (httpx.TransportError, ValueError):
            return None
        return found

    async def account_id(self, label: str) -> tuple[int, int]:
        """The connected account of a mailbox and its user, by the account's label."""
        accounts = await self._get("/api/v1/accounts")
        for account in accounts:
            if account["label"] == label:
                return account["id"], account["user_id"]
        raise DemoError(f"the API knows no account for the mailbox {label}")

    async def trigger_sample(self) -> Accepted:
        """Put one job into the base queue."""
        return await self._trigger("sample")

    async def trigger_fetch(self, account_id: int, user_id: int) -> Accepted:
        """Put the fetch of a whole mailbox into the e-mail queue."""
        return await self._trigger(
            "fetch", provider="mailbox", limit=MAX_FETCH, user_id=user_id, account_id=account_id
        )

    async def trigger_extract(self, batch_size: int) -> Accepted:
        """Put the reading of all waiting e-mails into the e-mail queue."""
        return await self._trigger("extract", batch_size=batch_size)

    async def job(self, status_url: str) -> Mapping[str, Any]:
        """One job as the ledger has it."""
        found: dict[str, Any] = await self._get(status_url)
        return found

    async def ledger(self) -> Ledger:
        """What the ledger has of the last 24 hours."""
        stats = await self._get("/api/v1/jobs/stats")
        ended: Counter[str] = Counter()
        for runs in stats["ended"]:
            ended.update(runs["counts"])
        return Ledger(open=sum(stats["open"].values()), ended=dict(ended))

    async def email_counts(self, account_id: int) -> EmailCounts:
        """How far an account's e-mails are."""
        counts = await self._get("/api/v1/emails/counts", account_id=account_id)
        return EmailCounts(total=sum(counts.values()), waiting=counts["PENDING"] + counts["PROCESSING"])

    def transactions(self, account_id: int) -> AsyncIterator[Mapping[str, Any]]:
        """The transactions told by the account's e-mails."""
        return self._pages("/api/v1/transactions", account_id=account_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _trigger(self, what: str, **parameters: Any) -> Accepted:
        answer = await self._request("POST", f"/api/v1/jobs/trigger/{what}", parameters)
        return Accepted(answer["job_id"], answer["status_url"])

    async def _pages(self, path: str, **parameters: Any) -> AsyncIterator[Mapping[str, Any]]:
        after: int | None = parameters.pop("after", 0)
        while after is not None:
            page = await self._get(path, **parameters, after=after, limit=PAGE_SIZE)
            for item in page["items"]:
                yield item
            after = page["next"]

    async def _get(self, path: str, **parameters: Any) -> Any:
        return await self._request("GET", path, parameters)

    async def _request(self, method: str, path: str, parameters: dict[str, Any]) -> Any:
        try:
            response = await self._http.request(method, path, params=parameters)
        except httpx.TransportError as error:
            raise DemoError(f"{method} {self.url}{path}: {type(error).__name__} {error}".rstrip()) from error
        if response.is_error:
            raise DemoError(
                f"{method} {self.url}{path} answered {response.status_code}: {response.text[:500]}"
            )
        return response.json()
