"""The ``mailproto`` command: accounts, the queue and the store; with or without a running server."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from mailproto import __version__
from mailproto.accounts import full_name
from mailproto.awaiting import settle
from mailproto.backends import open_store
from mailproto.errors import MailError, StoreUnusable
from mailproto.interfaces.add_ons import IIndexed
from mailproto.service._accounts import remembered_domain
from mailproto.service._allocator import keep_large_blocks_apart
from mailproto.service._collector import leave_out_what_stays
from mailproto.service._command_error import CommandError
from mailproto.service._command_parser import CommandParser
from mailproto.service._data import make_data_folder
from mailproto.service._dkim_command import add_dkim_actions
from mailproto.service._fetch_command import add_fetch_options
from mailproto.service._mailbox_command import add_mailbox_actions
from mailproto.service._migrate_command import add_migrate_options
from mailproto.service._mirror_command import add_mirror_options
from mailproto.service._names import account_name
from mailproto.service._queue_command import add_queue_actions
from mailproto.service._reasons import file_error, store_error, user_name
from mailproto.service._send_command import add_send_options
from mailproto.service._settings import DEFAULT_DATA, DEFAULT_STORE
from mailproto.service._stopped import run_command
from mailproto.service._store_command import add_store_actions
from mailproto.service._user_command import add_user_actions, ask_password

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command with ``arguments``, by default ``sys.argv``.

    It ends the process with status 0 for success, 64 for wrong usage, 128 and its number for a signal, and
    otherwise 1 or one of ``sysexits.h``.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.first is not None:
            options.first(options)
        _check(options)
        if options.act is not None:
            options.act(options)
            sys.exit()
        if options.creates:
            try:
                options.name = account_name(full_name(options.name, options.domain))
            except ValueError as error:
                parser.error(f"argument NAME@DOMAIN: {error}")
        # Read before the reactor runs, because reading from a terminal blocks.
        options.password = ask_password(options) if options.needs_password else ""
        if options.prepare is not None:
            options.prepare(options)
    except (CommandError, ValueError) as error:
        _fail(error)
    except OSError as error:
        sys.exit(f"mailproto: {file_error(error, options.data)}")
    except (KeyboardInterrupt, EOFError):
        sys.exit("mailproto: nothing changed")
    if options.is_long:
        keep_large_blocks_apart()
        leave_out_what_stays()
    run = _run if options.alone is None else _run_alone
    run_command(partial(run, options=options))


def _fail(error: Exception) -> NoReturn:
    """End the process with one line, and the status of a `CommandError` or 1."""
    if getattr(error, "status", 1) == 1:
        sys.exit(f"mailproto: {error}")
    print(f"mailproto: {error}", file=sys.stderr)
    sys.exit(error.status)  # type: ignore[attr-defined]


async def _run_alone(reactor: Any, options: Namespace) -> None:
    try:
        status = await options.alone(reactor, options)
    except CommandError as error:
        _fail(error)
    if status:
        sys.exit(status)


def _parser() -> ArgumentParser:
    """Each action sets ``run``, a coroutine function of the store and the options, whose result is the exit
    status, None for 0; it finds the reactor in the options.  One that needs no store sets ``act``, a function
    of the options, or ``alone``, a coroutine function of the reactor and the options.  ``prepare`` is called
    before the reactor runs, and ``first`` before the process changes to the owner of the store.
    ``is_long`` is for those that may run for hours, with much in memory."""
    parser = CommandParser(
        prog="mailproto",
        description="Manage the accounts, mailboxes, queue and store of a mailproto server.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, text, add_actions in (
        ("user", "accounts: add, list, passwd, disable, enable, quota, delete", add_user_actions),
        ("mailbox", "mailboxes of an account: list, create, delete, acl", add_mailbox_actions),
        (
            "queue",
            "mail for other servers: list, show, retry, hold, release, delete, flush, stats",
            add_queue_actions,
        ),
        ("dkim", "keys that sign mail: keygen, show, use", add_dkim_actions),
        ("store", "stored mail: check, reindex, stats", add_store_actions),
    ):
        command = commands.add_parser(name, help=text)
        actions = command.add_subparsers(required=True, metavar="ACTION")
        add_actions(partial(_add_action, actions))
    add_fetch_options(_add_action(commands, "fetch", "fetch the new messages of a mailbox on another server"))
    add_mirror_options(_add_action(commands, "mirror", "keep two accounts in step, here or on other servers"))
    add_migrate_options(
        _add_action(commands, "migrate", "copy the accounts of a list from other servers, and compare them")
    )
    add_send_options(_add_action(commands, "send", "send a message from standard input, as sendmail does"))
    return parser


def _add_action(actions: Any, action: str, text: str) -> ArgumentParser:
    options: ArgumentParser = actions.add_parser(
        action, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    options.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("MAILPROTO_DATA", DEFAULT_DATA)),
        metavar="DIR",
        help=f"data folder [default: $MAILPROTO_DATA, or {DEFAULT_DATA}]",
    )
    options.add_argument(
        "--store", default=DEFAULT_STORE, metavar="URL", help="as the server's: sqlite: by default"
    )
    options.set_defaults(act=None, alone=None, first=None, prepare=None, creates=False)
    options.set_defaults(needs_password=False, is_long=False)
    return options


def _check(options: Namespace) -> None:
    if options.act is not None:
        if _is_there(options.data):
            _become_owner(options.data)
        return
    if getattr(options, "server", None) is not None or options.alone is not None:
        return
    if options.store.startswith("memory:"):
        raise CommandError("a memory: store lives in the server's process; use its --account option")
    scheme, _, path = options.store.partition(":")
    options.place = Path(path) if scheme == "sqlite" and path else options.data
    if not options.creates and scheme == "sqlite" and not _is_there(options.place):
        raise CommandError(_no_store(options))
    if _is_there(options.place):
        _become_owner(options.place)
        _check_access(options)
    if "name" in options and options.domain is None:
        options.domain = "" if "@" in options.name else remembered_domain(options.data)


def _no_store(options: Namespace) -> str:
    """The error for a missing store; only ``user add`` creates one, because the path may be mistyped."""
    return f"there is no store in {options.place}"


def _is_there(path: str | os.PathLike[str]) -> bool:
    """:raises OSError: this user may not look, so it is not known."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _become_owner(place: Path) -> None:
    """If root runs this, change to the store's owner, so that the server can use new files."""
    owner = place.stat()
    if os.geteuid() == 0 != owner.st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _check_access(options: Namespace) -> None:
    """:raises CommandError: the store is another user's."""
    enter = os.X_OK if options.place.is_dir() else 0
    if os.access(options.place, os.R_OK | os.W_OK | enter):
        return
    owner = user_name(options.place.stat().st_uid)
    if owner == user_name(os.geteuid()):
        return  # the error of the store says more
    to_do = f"run this as {owner}" + ("" if owner == user_name(0) else " or root")
    if "server" in options:
        to_do += ", or give the message to a server with --server"
    status = os.EX_NOPERM if "server" in options else 1
    raise CommandError(f"{options.place} belongs to {owner}: {to_do}", status=status)


async def _run(reactor: Any, options: Namespace) -> None:
    globalLogPublisher.addObserver(_print_warning)
    options.reactor = reactor
    try:
        if options.store == DEFAULT_STORE:
            make_data_folder(options.data)
        store = open_store(options.store, str(options.data), reactor)
        path = getattr(store, "path", None)
        if not options.creates and path is not None and not _is_there(path):
            raise CommandError(_no_store(options))
        if IIndexed.providedBy(store):
            store.use_index(texts=None)
        try:
            await settle(store.start())
        except StoreUnusable as error:
            raise CommandError(store_error(error, path)) from None
        try:
            status = await options.run(store, options)
            sys.stdout.flush()
        finally:
            await settle(store.stop())
        if status:
            sys.exit(status)
    except BrokenPipeError:  # whoever reads this, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's flush at the end
        sys.exit(1)
    except OSError as error:
        sys.exit(f"mailproto: {file_error(error, options.data)}")
    except MailError as error:
        about = f"{options.name}: " if "name" in options else ""
        sys.exit(f"mailproto: {about}{error}")
    except (CommandError, ValueError) as error:
        _fail(error)


@provider(ILogObserver)
def _print_warning(event: LogEvent) -> None:
    """Print warnings that a server would log, such as the upgrade of an older store."""
    if event.get("log_level") is LogLevel.warn and str(event.get("log_namespace")).startswith("mailproto."):
        print(f"mailproto: {formatEvent(event)}", file=sys.stderr)
