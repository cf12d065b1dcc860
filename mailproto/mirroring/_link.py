"""A connection to a server that is made again when it is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

from twisted.internet.task import deferLater

from mailproto.client.errors import (
    AuthenticationRefused,
    ClientError,
    ConnectFailed,
    ConnectionLost,
    GreetingRefused,
    QueueTimeout,
    ServerUntrusted,
    TLSFailed,
)
from mailproto.imap import IMAPClient
from mailproto.mirroring._report import MirrorReport

__all__ = ["ClientSource", "Link", "Persistence", "is_client_source"]

ClientSource: TypeAlias = IMAPClient | Callable[[], Awaitable[IMAPClient]]
"""A client that has signed in, or a function that connects and signs in."""

TRIES: Final = 6
"""Attempts at one step that may fail one after the other, without anything done meanwhile."""

FIRST_PAUSE: Final = 1.0
"""Seconds before the second attempt; each pause is twice the one before it."""

T = TypeVar("T")

_TEMPORARY = (ConnectionLost, ConnectFailed, QueueTimeout)
_HOPELESS = (TLSFailed, ServerUntrusted)


def is_client_source(value: object) -> bool:
    """Whether it is a client, or may be a function that gives one."""
    return isinstance(value, IMAPClient) or (callable(value) and not isinstance(value, type))


class Link:
    """The connection to one server.

    :param source: a client, which stays the caller's; or a function, whose clients are closed here.
    """

    def __init__(self, source: ClientSource) -> None:
        self._client: IMAPClient | None = None
        self._connect: Callable[[], Awaitable[IMAPClient]] | None = None
        if isinstance(source, IMAPClient):
            self._client = source
        else:
            self._connect = source

    @property
    def can_connect(self) -> bool:
        """Whether it can be connected again."""
        return self._connect is not None

    async def client(self) -> IMAPClient:
        """The client, connected.  :raises ClientError: it cannot be connected."""
        if self._client is None or not (self._client.is_usable or self._connect is None):
            assert self._connect is not None  # noqa: S101 - for mypy
            self.drop()
            self._client = await self._connect()
        return self._client

    def drop(self) -> None:
        """End the connection, if it can be made again: nobody knows what it is in the middle of."""
        if self._connect is not None and self._client is not None:
            self._client.abort()
            self._client = None

    async def close(self) -> None:
        """Say goodbye to the server; if the client is the caller's, only leave the mailbox."""
        client = self._client
        if client is None:
            return
        with suppress(ClientError):
            if self._connect is not None:
                await client.quit()
            elif client.selected is not None:
                await client.unselect()
        self.drop()


class Persistence:
    """Does steps again, a limited number of times, when a connection is lost.

    :param links: all connections that the steps use.
    :param report: shows whether something was done meanwhile.
    """

    def __init__(self, clock: Any, links: Sequence[Link], report: MirrorReport) -> None:
        self._clock = clock
        self._links = links
        self._report = report

    async def __call__(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step, which may be done again from its beginning.

        :raises ClientError: it cannot be done, however often it is tried.
        """
        failed, pause = 0, FIRST_PAUSE
        while True:
            done, failures = self._report.done, len(self._report.failures)
            try:
                return await step()
            except ClientError as error:
                if self._report.done != done:
                    failed, pause = 0, FIRST_PAUSE
                failed += 1
                if failed >= TRIES or not self._may_help(error):
                    raise
                del self._report.failures[failures:]
            for link in self._links:
                link.drop()
            await deferLater(self._clock, pause)
            pause *= 2

    def _may_help(self, error: ClientError) -> bool:
        if not any(link.can_connect for link in self._links) or isinstance(error, _HOPELESS):
            return False
        if isinstance(error, AuthenticationRefused | GreetingRefused):
            return not error.is_permanent
        return isinstance(error, _TEMPORARY)

    async def close(self) -> None:
        """Close the connections that are not the caller's."""
        for link in self._links:
            await link.close()
