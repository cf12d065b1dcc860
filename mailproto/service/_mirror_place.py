"""An account as operators write it, for commands that mirror: here, or on an IMAP server."""

from __future__ import annotations

import hashlib
import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailproto.accounts import full_name
from mailproto.awaiting import settle
from mailproto.client import MailboxURL
from mailproto.client.errors import ClientError
from mailproto.errors import NoSuchAccount
from mailproto.imap import IMAPClient
from mailproto.interfaces import IAccount, IStore
from mailproto.service._accounts import remembered_domain
from mailproto.service._command_error import CommandError
from mailproto.service._fetch_command import client_problem
from mailproto.tls import TLSFilesError

__all__ = ["MirrorPlace", "mailboxes_of", "mirror_state_file"]

_TAKES = "account:NAME@DOMAIN, imaps://USER@HOST or imap://USER@HOST"


@dataclass(frozen=True, slots=True)
class MirrorPlace:
    """``account:NAME@DOMAIN``, or the URL of an IMAP server.

    :ivar account: the account's name; "" for a server.
    :ivar mailbox: the only one that is meant, by the URL; "" for all.
    """

    account: str = ""
    url: MailboxURL | None = None
    mailbox: str = ""

    @classmethod
    def parse(cls, text: str) -> MirrorPlace:
        """Read one.  :raises ArgumentTypeError: it is none."""
        kind, _, name = text.partition(":")
        if kind == "account" and name:
            return cls(name)
        if "://" not in text:
            raise ArgumentTypeError(f"must be {_TAKES}")
        try:
            url = MailboxURL.parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None
        if url.is_pop3:
            raise ArgumentTypeError(f"must be {_TAKES}: mailproto fetch is for POP3")
        path = text.partition("://")[2].partition("/")[2]
        return cls("", url, url.mailbox if path else "")

    def __str__(self) -> str:
        return f"account:{self.account}" if self.url is None else str(self.url)

    def full(self, data: Path) -> MirrorPlace:
        """The same, with the account's domain."""
        if self.url is not None:
            return self
        domain = "" if "@" in self.account else remembered_domain(data)
        return MirrorPlace(full_name(self.account, domain))

    @asynccontextmanager
    async def opened(
        self, reactor: Any, store: IStore | None, credentials: Any, options: Namespace
    ) -> AsyncIterator[Callable[[], Awaitable[IMAPClient]] | IAccount]:
        """The account, or a function that connects and signs in; it has succeeded once.

        :raises CommandError: there is none, or the server refuses it.
        """
        if self.url is None:
            assert store is not None  # noqa: S101 - a command without accounts here needs no store
            try:
                yield await settle(store.account(self.account))
            except NoSuchAccount:
                text = f"{self}: there is no such account: mailproto user add makes it"
                raise CommandError(text, status=os.EX_NOUSER) from None
            return
        url = self.url

        async def connect() -> IMAPClient:
            if first:
                return first.pop()
            return await url.open(
                IMAPClient, reactor, credentials, plain=options.plain, trust_root=options.ca_file
            )

        first: list[IMAPClient] = []
        try:
            first.append(await connect())
        except (ClientError, TLSFilesError) as error:
            raise client_problem(error, url) from None
        try:
            yield connect
        finally:
            for client in first:
                client.abort()


def mailboxes_of(places: Collection[MirrorPlace], given: Collection[str] | None) -> Collection[str] | None:
    """The only mailboxes that are meant; None for all."""
    named = {*(given or ()), *(place.mailbox for place in places if place.mailbox)}
    return named or None


def mirror_state_file(folder: str | os.PathLike[str] | None, data: Path, between: str, *, here: bool) -> Path:
    """Where the state of two places is.

    :param folder: where the operator wants it.
    :param here: whether one of the places is in the store; then it is in the data folder.
    """
    if folder is None:
        home = os.environ.get("XDG_STATE_HOME", "")
        state = Path(home if os.path.isabs(home) else Path.home() / ".local/state", "mailproto")
        folder = Path(data if here else state, "mirroring")
    return Path(folder, f"{hashlib.sha256(between.encode()).hexdigest()[:32]}.sqlite3")
