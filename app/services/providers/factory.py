"""From a provider's name to a provider: the one place that knows which sources of e-mail there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from app.services.providers.base import EmailProvider
from app.services.providers.mailbox import MailboxProvider


class UnknownProvider(LookupError):
    """No e-mail provider has this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"unknown e-mail provider {name!r}; known are: {', '.join(known)}")


class ProviderFactory:
    """Makes e-mail providers by name; a new one is added with :meth:`register`."""

    _makers: ClassVar[dict[str, Callable[[], EmailProvider]]] = {MailboxProvider.name: MailboxProvider}

    @classmethod
    def register(cls, name: str, maker: Callable[[], EmailProvider]) -> None:
        """Make ``create(name)`` call ``maker``; a name registered before is replaced."""
        cls._makers[name] = maker

    @classmethod
    def known(cls) -> list[str]:
        """The names that :meth:`create` accepts, sorted."""
        return sorted(cls._makers)

    @classmethod
    def create(cls, name: str) -> EmailProvider:
        """A fresh, unconnected provider; raises :class:`UnknownProvider` naming the known ones."""
        maker = cls._makers.get(name)
        if maker is None:
            raise UnknownProvider(name, cls.known())
        return maker()
