"""QUOTA (RFC 9208): how much an account stores, and how much it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailproto.awaiting import settle
from mailproto.errors import NoPermission
from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import StatusItem
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import (
    ArgumentReader,
    Command,
    IMAPWireError,
    MailboxName,
    grammars,
    quoted_or_literal,
)
from mailproto.interfaces.add_ons import IQuota
from mailproto.model import NO_LIMIT, Quota, QuotaLimits

__all__ = ["EXTENSION"]

_UNIT: Final = 1024
"""The octets that STORAGE counts as one (RFC 9208 5.1)."""

_RESOURCES: Final = 100
"""The most limits of one SETQUOTA."""


@dataclass(frozen=True, slots=True)
class Root:
    """GETQUOTA: the name of a quota root."""

    name: str


@dataclass(frozen=True, slots=True)
class Limits:
    """SETQUOTA: the limits of a quota root by resource."""

    root: str
    limits: dict[str, int]


def _root(arguments: ArgumentReader) -> Root:
    return Root(arguments.text())


def _limits(arguments: ArgumentReader) -> Limits:
    """``SP root SP "(" *(resource SP limit) ")"``."""
    root = arguments.text()
    limits: dict[str, int] = {}
    arguments.open()
    while not arguments.closes():
        if len(limits) == _RESOURCES:
            raise IMAPWireError("Too many resources", code="LIMIT", bad=False)
        resource = arguments.atom()
        limits[resource] = arguments.number()
    return Limits(root, limits)


async def get_quota(session: Session, command: Command[Root]) -> None:
    """GETQUOTA (RFC 9208 4.1.1)."""
    account = _account(session)
    _respond(session, await settle(account.quota(command.arguments.name)))


async def get_quota_root(session: Session, command: Command[MailboxName]) -> None:
    """GETQUOTAROOT (RFC 9208 4.1.2)."""
    account, mailbox = _account(session), command.arguments.mailbox
    roots = await settle(account.quota_roots(mailbox))
    names = b"".join([b" " + quoted_or_literal(root) for root in roots])
    session.respond(b"* QUOTAROOT %b%b\r\n" % (session.encoded(mailbox), names))
    for root in roots:
        _respond(session, await settle(account.quota(root)))


async def set_quota(session: Session, command: Command[Limits]) -> None:
    """SETQUOTA (RFC 9208 4.1.3): a resource that is not named has no limit then."""
    account, limits = _account(session), dict(command.arguments.limits)
    storage = limits.pop("STORAGE", None)
    messages = limits.pop("MESSAGE", None)
    if limits:
        raise RefusedWithCode("CANNOT", "Only STORAGE and MESSAGE can be limited")
    wanted = QuotaLimits(
        NO_LIMIT if storage is None else min(storage * _UNIT, NO_LIMIT),
        NO_LIMIT if messages is None else messages,
    )
    _respond(session, await settle(account.set_quota(command.arguments.root, wanted)))


async def deleted_storage(session: Session, mailbox: str) -> bytes:
    """The octets that EXPUNGE would free (RFC 9208 4.1.4)."""
    return b"%d" % await settle(_account(session).deleted_storage(mailbox))


def _account(session: Session) -> IQuota:
    account = session.signed_in
    if not IQuota.providedBy(account):
        raise NoPermission
    return account


def _respond(session: Session, quota: Quota) -> None:
    """A resource without a limit is left out (RFC 9208 4.2.1)."""
    resources = [
        b"%b %d %d" % (name, -(-use.used // unit), -(-use.limit // unit))
        for name, use, unit in (
            (b"STORAGE", quota.storage, _UNIT),
            (b"MESSAGE", quota.messages, 1),
            (b"MAILBOX", quota.mailboxes, 1),
        )
        if use.limit is not None
    ]
    session.respond(b"* QUOTA %b (%b)\r\n" % (quoted_or_literal(quota.root), b" ".join(resources)))


EXTENSION = Extension(
    "QUOTA",
    capabilities=("QUOTA", "QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTA=RES-MAILBOX"),
    needs=frozenset({IQuota}),
    commands=(
        CommandSpec("GETQUOTA", _root, get_quota),
        CommandSpec("GETQUOTAROOT", grammars.mailbox_name, get_quota_root),
        CommandSpec("SETQUOTA", _limits, set_quota),
    ),
    status_items=(StatusItem("DELETED-STORAGE", look_up=deleted_storage),),
)
