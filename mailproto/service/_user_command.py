"""``mailproto user``: its actions, and how it reads a password."""

from __future__ import annotations

import getpass
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import suppress

from mailproto.accounts import full_name
from mailproto.auth import hash_password
from mailproto.auth.passwords import disabled_record, enabled_record, is_disabled
from mailproto.awaiting import settle
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IDirectory, IStore
from mailproto.interfaces.add_ons import IQuotas
from mailproto.model import NO_LIMIT, QuotaLimits
from mailproto.service._command_error import CommandError
from mailproto.service._names import new_password
from mailproto.service._sizes import number, octets

__all__ = ["add_user_actions", "ask_password", "found_name"]

_NAMED_LIMITS = {"none": NO_LIMIT, "default": None}


def ask_password(options: Namespace) -> str:
    """Read the new password: a line of standard input, or typed twice.

    :raises CommandError:
    """
    try:
        return new_password(_line_of_input() if options.password_stdin else _asked_twice(options.name))
    except UnicodeDecodeError:
        raise CommandError("a password must be UTF-8") from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def _line_of_input() -> str:
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")


def _asked_twice(name: str) -> str:
    try:
        with warnings.catch_warnings():
            # getpass warns if it cannot hide the typed text: then there is no terminal.
            warnings.simplefilter("error", getpass.GetPassWarning)
            password = getpass.getpass(f"Password for {name}: ")
            if getpass.getpass("Again: ") != password:
                raise CommandError("the two passwords differ")
    except getpass.GetPassWarning:
        raise CommandError("no terminal to ask for the password: use --password-stdin") from None
    return password


def add_user_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    for action, text, run in (
        ("add", "create an account", _add),
        ("list", "print the accounts' names, one a line", _list),
        ("passwd", "set an account's password; this ends its sessions, and enables it", _passwd),
        ("disable", "end an account's sessions, and refuse new ones; it still receives mail", _disable),
        ("enable", "undo disable; the password is the same as before", _enable),
        ("quota", "print what an account stores and may store; change that", _quota),
        ("delete", "end an account's sessions, and delete it with all its mail", _delete),
    ):
        options = add_action(action, text)
        needs_password = run in (_add, _passwd)
        options.set_defaults(run=run, creates=run is _add, needs_password=needs_password)
        if needs_password:
            options.add_argument(
                "--password-stdin",
                action="store_true",
                help="read the password from standard input, one line",
            )
        if run is _quota:
            for name, what in (("storage", "the octets, such as 500M or 1G"), ("messages", "the messages")):
                options.add_argument(
                    f"--{name}", metavar="N", help=f"set the limit of {what}; none for no limit, or default"
                )
        if run is not _list:
            options.add_argument(
                "--domain",
                help="for a NAME without a domain [default: the first domain of the last server here]",
            )
            options.add_argument("name", metavar="NAME@DOMAIN")


async def _add(store: IStore, options: Namespace) -> None:
    directory = store.directory
    await settle(directory.add(options.name, hash_password(options.password)))


async def _list(store: IStore, options: Namespace) -> None:
    directory = store.directory
    for name in await settle(directory.names()):
        print(name)


async def _passwd(store: IStore, options: Namespace) -> None:
    directory = store.directory
    name = await found_name(directory, options)
    await settle(directory.set_password_hash(name, hash_password(options.password)))


async def _disable(store: IStore, options: Namespace) -> None:
    directory = store.directory
    name = await found_name(directory, options)
    record = await settle(directory.password_hash(name))
    if not is_disabled(record):
        await settle(directory.set_password_hash(name, disabled_record(record)))


async def _enable(store: IStore, options: Namespace) -> None:
    directory = store.directory
    name = await found_name(directory, options)
    record = await settle(directory.password_hash(name))
    if is_disabled(record):
        await settle(directory.set_password_hash(name, enabled_record(record)))


async def _quota(store: IStore, options: Namespace) -> None:
    if not IQuotas.providedBy(store):
        raise CommandError("this store has no quotas")
    name = await found_name(store.directory, options)
    if options.storage is not None or options.messages is not None:
        own = await settle(store.limits_of(name))
        storage = _limit(options.storage, octets, "--storage", own.storage)
        messages = _limit(options.messages, number, "--messages", own.messages)
        await settle(store.set_limits(name, QuotaLimits(storage, messages)))
    quota = await settle(store.quota_of(name))
    for use, unit in ((quota.storage, "octets"), (quota.messages, "messages")):
        print(f"{use.used} of {'any number of' if use.limit is None else use.limit} {unit}")


def _limit(given: str | None, read: Callable[[str], int], option: str, present: int | None) -> int | None:
    """:raises CommandError: it is no limit."""
    if given is None:
        return present
    if given in _NAMED_LIMITS:
        return _NAMED_LIMITS[given]
    try:
        return read(given)
    except ValueError as error:
        raise CommandError(f"{option}: {error}") from None


async def _delete(store: IStore, options: Namespace) -> None:
    directory = store.directory
    await settle(directory.delete(await settle(found_name(directory, options))))


async def found_name(directory: IDirectory, options: Namespace) -> str:
    """The account's name as it is stored.

    An older version may have created accounts with names that are no longer allowed.

    :raises NoSuchAccount:
    """
    with suppress(NoSuchAccount):
        return await settle(directory.find(options.name))
    return await settle(directory.find(full_name(options.name, options.domain)))
