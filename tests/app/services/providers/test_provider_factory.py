"""From a name to a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import pytest

from app.services.providers import (
    EmailProvider,
    MailboxProvider,
    ProviderFactory,
    RawMessage,
    UnknownProvider,
)


class OtherProvider(EmailProvider):
    name: ClassVar[str] = "other"

    async def connect(self, credentials: Mapping[str, Any]) -> None:
        raise NotImplementedError

    async def pages(self, limit: int | None = None, page_size: int = 50) -> AsyncIterator[list[RawMessage]]:
        raise NotImplementedError
        yield []

    async def close(self) -> None:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProviderFactory, "_makers", dict(ProviderFactory._makers))


def test_mailbox_is_known_and_each_one_is_fresh() -> None:
    """Two accounts never share a provider."""
    first, second = ProviderFactory.create("mailbox"), ProviderFactory.create("mailbox")

    assert isinstance(first, MailboxProvider)
    assert first is not second


def test_registered_provider_is_created_by_its_name() -> None:
    """A new source of e-mail needs one line."""
    ProviderFactory.register("other", OtherProvider)

    assert isinstance(ProviderFactory.create("other"), OtherProvider)
    assert ProviderFactory.known() == ["mailbox", "other"]


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    """The error ends the search: it names what there is."""
    with pytest.raises(UnknownProvider, match=r"'gmial'.*mailbox") as caught:
        ProviderFactory.create("gmial")

    assert (caught.value.name, caught.value.known) == ("gmial", ["mailbox"])
