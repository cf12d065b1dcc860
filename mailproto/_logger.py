"""The logger of this package's classes."""

from __future__ import annotations

from twisted.logger import Logger

__all__ = ["PackageLogger"]

_PACKAGE = __name__.partition(".")[0] + "."


class PackageLogger(Logger):
    """A logger whose namespace stays in this package when a class is derived elsewhere.

    Twisted's names the class that it is used by.  Then filters by ``mailproto.smtp`` would miss the messages
    of a user's own subclass of `mailproto.smtp.server.SMTPServer`.
    """

    def __get__(self, instance: object, owner: type | None = None) -> Logger:
        assert owner is not None  # noqa: S101 - as in Twisted: a class attribute has an owner
        ours = next((base for base in owner.__mro__ if base.__module__.startswith(_PACKAGE)), owner)
        source = owner if instance is None else instance
        return Logger(f"{ours.__module__}.{ours.__name__}", source, observer=self.observer)
