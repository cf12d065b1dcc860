"""``mailproto mailbox``: the mailboxes of an account, and who else may use them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from mailproto.awaiting import settle
from mailproto.errors import InvalidRights
from mailproto.interfaces import IAccount, IStore
from mailproto.interfaces.add_ons import IAccessControl
from mailproto.model import FlagOperation
from mailproto.service._command_error import CommandError
from mailproto.service._user_command import found_name

__all__ = ["add_mailbox_actions"]

_NO_RIGHTS = "none"


def add_mailbox_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    for action, text, run in (
        ("list", "print the account's mailboxes, one a line, with those of others that it sees", _list),
        ("create", "create a mailbox", _create),
        ("delete", "delete a mailbox with its messages", _delete),
        ("acl", "print who may do what in a mailbox, one a line; change that", _acl),
    ):
        options = add_action(action, text)
        options.set_defaults(run=run)
        options.add_argument(
            "--domain", help="for a NAME without a domain [default: the first domain of the last server here]"
        )
        options.add_argument("name", metavar="NAME@DOMAIN")
        if run is not _list:
            options.add_argument("mailbox", metavar="MAILBOX")
        if run is _acl:
            options.add_argument(
                "identifier", nargs="?", metavar="WHO", help="an account, or anyone, to whom to give RIGHTS"
            )
            options.add_argument(
                "rights",
                nargs="?",
                metavar="RIGHTS",
                help=f"letters of RFC 4314, such as lrs; or {_NO_RIGHTS}",
            )


async def _list(store: IStore, options: Namespace) -> None:
    account = await _account(store, options)
    for entry in await settle(account.list()):
        if entry.selectable:
            print(entry.name)


async def _create(store: IStore, options: Namespace) -> None:
    account = await _account(store, options)
    await settle(account.create(options.mailbox))


async def _delete(store: IStore, options: Namespace) -> None:
    account = await _account(store, options)
    await settle(account.delete(options.mailbox))


async def _acl(store: IStore, options: Namespace) -> None:
    account = await _account(store, options)
    if not IAccessControl.providedBy(account):
        raise CommandError("this store has no access control")
    if options.identifier is not None:
        if options.rights is None:
            raise CommandError(f"give {options.identifier} some RIGHTS, such as lr, or {_NO_RIGHTS}")
        rights = "" if options.rights == _NO_RIGHTS else options.rights
        try:
            await settle(account.set_acl(options.mailbox, options.identifier, rights, FlagOperation.SET))
        except InvalidRights:
            raise CommandError(f"no rights of {options.identifier!r}: {options.rights!r}") from None
    for identifier, rights in (await settle(account.acl(options.mailbox))).items():
        print(identifier, rights)


async def _account(store: IStore, options: Namespace) -> IAccount:
    return await settle(store.account(await found_name(store.directory, options)))
