"""The ``mailproto`` command: accounts, while the server runs or while it does not."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from mailproto import __version__
from mailproto.accounts import full_name
from mailproto.auth import disabled_record, enabled_record, hash_password, is_disabled
from mailproto.backends import open_store
from mailproto.errors import MailError, NoSuchAccount, StoreUnusable
from mailproto.interfaces import IDirectory
from mailproto.service._accounts import remembered_domain
from mailproto.service._data import make_data_folder
from mailproto.service._names import account_name, new_password
from mailproto.service._reasons import file_error, store_error
from mailproto.service._settings import DEFAULT_DATA, DEFAULT_STORE

__all__ = ["main"]


class CommandError(Exception):
    """The one line that says why a command did nothing; status 1."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The command line: ``sys.argv`` by default.

    Ends the process: 0 when it is done, 1 when it could not be done, 2 for wrong usage.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        _check(options)
        if options.action == "add":
            try:
                options.name = account_name(full_name(options.name, options.domain))
            except ValueError as error:
                parser.error(f"argument NAME@DOMAIN: {error}")
        # Asked before the reactor runs: a terminal blocks.
        password = _new_password(options) if options.action in _WITH_PASSWORD else ""
    except CommandError as error:
        sys.exit(f"mailproto: {error}")
    except OSError as error:
        sys.exit(f"mailproto: {file_error(error, options.data)}")
    except (KeyboardInterrupt, EOFError):
        sys.exit("mailproto: nothing changed")
    react(lambda reactor: Deferred.fromCoroutine(_run(reactor, options, password)))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="mailproto", description="Look after a mailproto server's accounts.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    user = commands.add_parser("user", help="accounts: add, list, passwd, disable, enable, delete")
    actions = user.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in (
        ("add", "make an account"),
        ("list", "print the accounts' names, one a line"),
        ("passwd", "give an account another password, which ends its sessions and enables it"),
        ("disable", "end an account's sessions, and refuse new ones; it still gets mail"),
        ("enable", "undo disable: the password is as before"),
        ("delete", "end an account's sessions, and remove it with all its mail"),
    ):
        options = actions.add_parser(action, help=text, description=f"{text.capitalize()}.")
        options.add_argument(
            "--data", type=Path, default=Path(DEFAULT_DATA), metavar="DIR", help="data folder"
        )
        options.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="sqlite: or sqlite:PATH")
        if action in _WITH_PASSWORD:
            options.add_argument(
                "--password-stdin", action="store_true", help="read the password's line from standard input"
            )
        if action != "list":
            options.add_argument(
                "--domain",
                help="of a NAME without one [default: the first of the server that ran there last]",
            )
            options.add_argument("name", metavar="NAME@DOMAIN")
    return parser


def _check(options: Namespace) -> None:
    if options.store.startswith("memory:"):
        raise CommandError("a memory: store lives in the server's process; use its --account option")
    place = Path(options.store.removeprefix(DEFAULT_STORE) or options.data)
    if options.action != "add" and not place.exists():
        # Only a first account may make a store: anything else is a mistyped path.
        raise CommandError(f"there is no store in {place}")
    if place.exists():
        _become_owner(place)
    if options.action != "list" and options.domain is None:
        options.domain = remembered_domain(options.data)


def _become_owner(place: Path) -> None:
    """Root works as the user whose store it is, so that the server can use what is made."""
    owner = place.stat()
    if os.geteuid() == 0 != owner.st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _new_password(options: Namespace) -> str:
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
            # It warns where it cannot hide what is typed: there is no terminal.
            warnings.simplefilter("error", getpass.GetPassWarning)
            password = getpass.getpass(f"Password for {name}: ")
            if getpass.getpass("Again: ") != password:
                raise CommandError("the two passwords differ")
    except getpass.GetPassWarning:
        raise CommandError("no terminal to ask for the password: use --password-stdin") from None
    return password


async def _run(reactor: Any, options: Namespace, password: str) -> None:
    globalLogPublisher.addObserver(_print_warning)
    try:
        if options.store == DEFAULT_STORE:
            make_data_folder(options.data)
        store = open_store(options.store, str(options.data), reactor)
        try:
            await store.start()
        except StoreUnusable as error:
            raise CommandError(store_error(error, getattr(store, "path", None))) from None
        try:
            await _ACTIONS[options.action](store.directory, options, password)
        finally:
            await store.stop()
    except OSError as error:
        sys.exit(f"mailproto: {file_error(error, options.data)}")
    except MailError as error:
        about = f"{options.name}: " if "name" in options else ""
        sys.exit(f"mailproto: {about}{error}")
    except (CommandError, ValueError) as error:
        sys.exit(f"mailproto: {error}")


@provider(ILogObserver)
def _print_warning(event: LogEvent) -> None:
    """What a server has in its log, such as what becomes of a store of an older version."""
    if event.get("log_level") is LogLevel.warn and str(event.get("log_namespace")).startswith("mailproto."):
        print(f"mailproto: {formatEvent(event)}", file=sys.stderr)


async def _add(directory: IDirectory, options: Namespace, password: str) -> None:
    await directory.add(options.name, hash_password(password))


async def _list(directory: IDirectory, options: Namespace, password: str) -> None:
    for name in await directory.names():
        print(name)


async def _passwd(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    await directory.set_password_hash(name, hash_password(password))


async def _disable(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    record = await directory.password_hash(name)
    if not is_disabled(record):
        await directory.set_password_hash(name, disabled_record(record))


async def _enable(directory: IDirectory, options: Namespace, password: str) -> None:
    name = await _found(directory, options)
    record = await directory.password_hash(name)
    if is_disabled(record):
        await directory.set_password_hash(name, enabled_record(record))


async def _delete(directory: IDirectory, options: Namespace, password: str) -> None:
    await directory.delete(await _found(directory, options))


async def _found(directory: IDirectory, options: Namespace) -> str:
    """The account's name as it is kept.

    Of an older version there may be accounts that cannot be made any more.

    :raises NoSuchAccount:
    """
    with suppress(NoSuchAccount):
        return await directory.find(options.name)
    return await directory.find(full_name(options.name, options.domain))


_ACTIONS: Mapping[str, Callable[[IDirectory, Namespace, str], Awaitable[None]]] = {
    "add": _add,
    "list": _list,
    "passwd": _passwd,
    "disable": _disable,
    "enable": _enable,
    "delete": _delete,
}

_WITH_PASSWORD = ("add", "passwd")
