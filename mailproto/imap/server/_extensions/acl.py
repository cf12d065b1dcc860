"""ACL (RFC 4314): which mailboxes others may use, and for what.

What each command needs is checked by the account and its mailboxes (`IAccessControl`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.errors import InvalidRights, NoPermission
from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import ArgumentReader, Command, MailboxName, astring, grammars
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.model import FlagOperation

__all__ = ["EXTENSION", "access_control", "render_rights"]

_OPERATIONS = {"+": FlagOperation.ADD, "-": FlagOperation.REMOVE}


@dataclass(frozen=True, slots=True)
class SetACL:
    """The arguments of SETACL."""

    mailbox: str
    identifier: str
    rights: str
    operation: FlagOperation


@dataclass(frozen=True, slots=True)
class Identified:
    """The arguments of DELETEACL and LISTRIGHTS."""

    mailbox: str
    identifier: str


def _set(arguments: ArgumentReader) -> SetACL:
    """``SP mailbox SP identifier SP ["+" / "-"] rights``."""
    mailbox, identifier, rights = arguments.mailbox(), arguments.text(), arguments.text()
    operation = _OPERATIONS.get(rights[:1], FlagOperation.SET)
    return SetACL(mailbox, identifier, rights[operation is not FlagOperation.SET :], operation)


def _identified(arguments: ArgumentReader) -> Identified:
    """``SP mailbox SP identifier``."""
    return Identified(arguments.mailbox(), arguments.text())


async def set_acl(session: Session, command: Command[SetACL]) -> None:
    """SETACL (RFC 4314 3.1)."""
    arguments, account = command.arguments, access_control(session)
    try:
        await settle(
            account.set_acl(arguments.mailbox, arguments.identifier, arguments.rights, arguments.operation)
        )
    except InvalidRights as error:
        raise BadCommand(error.text) from None


async def delete_acl(session: Session, command: Command[Identified]) -> None:
    """DELETEACL (RFC 4314 3.2)."""
    arguments, account = command.arguments, access_control(session)
    try:
        await settle(account.set_acl(arguments.mailbox, arguments.identifier, ""))
    except InvalidRights as error:
        raise BadCommand(error.text) from None


async def get_acl(session: Session, command: Command[MailboxName]) -> None:
    """GETACL (RFC 4314 3.3)."""
    mailbox = command.arguments.mailbox
    acl = await settle(access_control(session).acl(mailbox))
    pairs = [b" %b %b" % (astring(identifier), render_rights(rights)) for identifier, rights in acl.items()]
    session.respond(b"* ACL %b%b\r\n" % (session.encoded(mailbox), b"".join(pairs)))


async def list_rights(session: Session, command: Command[Identified]) -> None:
    """LISTRIGHTS (RFC 4314 3.4): with the old rights ``c`` and ``d``, which are tied to nothing (2.1.1)."""
    arguments, account = command.arguments, access_control(session)
    try:
        always, groups = await settle(account.list_rights(arguments.mailbox, arguments.identifier))
    except InvalidRights as error:
        raise BadCommand(error.text) from None
    given = set().union(*groups)
    more = [old for old, new in _OLD.items() if not given.isdisjoint(new)]
    session.respond(
        b"* LISTRIGHTS %b %b %b%b\r\n"
        % (
            session.encoded(arguments.mailbox),
            astring(arguments.identifier),
            render_rights(always),
            b"".join([b" " + astring(group) for group in [*groups, *more]]),
        )
    )


async def my_rights(session: Session, command: Command[MailboxName]) -> None:
    """MYRIGHTS (RFC 4314 3.5)."""
    mailbox = command.arguments.mailbox
    rights = await settle(access_control(session).my_rights(mailbox))
    session.respond(b"* MYRIGHTS %b %b\r\n" % (session.encoded(mailbox), render_rights(rights)))


def access_control(session: Session) -> IAccessControl:
    """The account, which knows rights.

    :raises NoPermission: it knows none.
    """
    account = session.signed_in
    if not IAccessControl.providedBy(account):
        raise NoPermission
    return account


_OLD = {"c": "kx", "d": "te"}
"""The rights of RFC 2086 that are several now."""


def render_rights(rights: str) -> bytes:
    """Rights, and the old ones that stand for some of them (RFC 4314 2.1.1)."""
    return astring(rights + "".join(old for old, new in _OLD.items() if not set(rights).isdisjoint(new)))


EXTENSION = Extension(
    "ACL",
    capabilities=("ACL", "RIGHTS=kxte"),
    needs=frozenset({IAccessControl}),
    commands=(
        CommandSpec("SETACL", _set, set_acl),
        CommandSpec("DELETEACL", _identified, delete_acl),
        CommandSpec("GETACL", grammars.mailbox_name, get_acl),
        CommandSpec("LISTRIGHTS", _identified, list_rights),
        CommandSpec("MYRIGHTS", grammars.mailbox_name, my_rights),
    ),
)
