"""URLs that give access to a message to those who have no other (RFC 4467)."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Final, cast

from mailproto.accounts import account_key
from mailproto.awaiting import settle
from mailproto.errors import NoPermission, NoSuchAccount, NoSuchMailbox
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._session import Session
from mailproto.imap.wire import MessageURL, bad_url
from mailproto.interfaces import IMailbox
from mailproto.interfaces.add_ons import IAccessKeys

__all__ = ["MECHANISM", "open_url", "owner", "refused", "token"]

MECHANISM: Final = b"INTERNAL"
_VERSION: Final = b"01"
"""Of tokens: HMAC with SHA-256 of the URL up to its access identifier."""


def token(key: bytes, rump: bytes) -> bytes:
    """The token of a URL.

    :param rump: the URL, with its access identifier at the end.
    """
    return _VERSION + hmac.digest(key, rump, "sha256").hex().encode("ascii")


def refused(url: MessageURL) -> RefusedWithCode:
    """The refusal of a URL that names nothing, or that is not for this client."""
    error = bad_url(url.text)
    return RefusedWithCode(error.code, error.text)


async def open_url(session: Session, url: MessageURL) -> IMailbox:
    """The mailbox of a URL: one of the session's account, or one that the URL gives access to.

    :raises RefusedWithCode: the URL is not valid (BADURL).
    """
    try:
        if url.token is not None:
            mailbox = await _by_token(session, url, url.token)
        elif url.user is not None and owner(session, url.user) != account_key(session.signed_in.name):
            raise refused(url)
        elif url.mailbox is not None:
            mailbox = await settle(session.signed_in.open(url.mailbox))
        elif session.view is not None:
            mailbox = session.view.mailbox
        else:
            raise refused(url)
    except (NoSuchMailbox, NoSuchAccount, NoPermission):
        raise refused(url) from None
    if url.uid_validity not in (None, mailbox.uid_validity):
        raise refused(url)
    return mailbox


async def _by_token(session: Session, url: MessageURL, given: bytes) -> IMailbox:
    account = session.signed_in
    if url.user is None or url.mailbox is None or not IAccessKeys.providedBy(account):
        raise refused(url)
    keys = cast("IAccessKeys", account)
    made_by = owner(session, url.user)
    key, mailbox = await settle(keys.shared_by_url(made_by, url.mailbox))
    if not hmac.compare_digest(token(key, url.rump), given.lower()) or url.mechanism != MECHANISM:
        raise refused(url)
    if url.expires is not None and url.expires <= datetime.now(UTC):
        raise refused(url)
    kind, _, name = (url.access or "").partition("+")
    if kind in ("user", "submit") and _beside(made_by, name) != account_key(account.name):
        raise refused(url)
    return mailbox


def owner(session: Session, user: str) -> str:
    """The `account_key` of the account that a URL means.

    A name without a domain is in the domain of who reads the URL.
    """
    return _beside(session.signed_in.name, user)


def _beside(account: str, name: str) -> str:
    """The `account_key` of a name; without a domain, it is in that of the account."""
    _, at, domain = account.rpartition("@")
    return account_key(f"{name}@{domain}" if at and "@" not in name else name)
