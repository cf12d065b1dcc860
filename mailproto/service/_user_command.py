"""``mailproto user``: its actions, and how it reads a password."""

from __future__ import annotations

import getpass
import sys
import warnings
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from mailproto.accounts import full_name
from mailproto.auth import hash_password
from mailproto.auth.passwords import disabled_record, enabled_record, is_disabled
from mailproto.awaiting import settle
from mailproto.errors import NoSuchAccount
from mailproto.interfaces import IDirectory
from mailproto.service._names import new_password

__all__ = ["USER_ACTIONS", "WITH_PASSWORD", "CommandError", "ask_password"]


class CommandError(Exception):
    """A command failed: one line that says why; the exit status is 1."""


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


async def _add(directory: IDirectory, options: Namespace, password: str) -> None:
    await settle(directory.add(options.name, hash_password(password)))


async def _list(directory: IDirectory, options: Namespace, password: str) -> None:
    for name in await settle(directory.names()):
        print(name)


async def _passwd(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    await settle(directory.set_password_hash(name, hash_password(password)))


async def _disable(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    record = await settle(directory.password_hash(name))
    if not is_disabled(record):
        await settle(directory.set_password_hash(name, disabled_record(record)))


async def _enable(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    record = await settle(directory.password_hash(name))
    if is_disabled(record):
        await settle(directory.set_password_hash(name, enabled_record(record)))


async def _delete(directory: IDirectory, options: Namespace, password: str) -> None:
    await settle(directory.delete(await settle(_found(directory, options))))


async def _found(directory: IDirectory, options: Namespace) -> str:
    """The account's name as it is stored.

    An older version may have created accounts with names that are no longer allowed.

    :raises NoSuchAccount:
    """
    with suppress(NoSuchAccount):
        return await settle(directory.find(options.name))
    return await settle(directory.find(full_name(options.name, options.domain)))


USER_ACTIONS: Mapping[str, Callable[[IDirectory, Namespace, str], Awaitable[None]]] = {
    "add": _add,
    "list": _list,
    "passwd": _passwd,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
}

WITH_PASSWORD = ("add", "passwd")
"""The actions that need a new password."""
