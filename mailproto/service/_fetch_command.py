"""``mailproto fetch``: fetches the new messages of a mailbox on another server."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mailproto.awaiting import settle
from mailproto.client import MailboxURL
from mailproto.client.errors import (
    AuthenticationRefused,
    AuthenticationUnavailable,
    ClientError,
    CommandRefused,
    TLSFailed,
    TLSUnavailable,
)
from mailproto.errors import MailError, NoSuchAccount, StoreUnusable
from mailproto.fetching import FetchProgress, FetchResult, fetch_new
from mailproto.interfaces import IStore
from mailproto.printable import printable
from mailproto.service._command_error import CommandError
from mailproto.service._fetch_target import FetchTarget, state_file
from mailproto.service._password_source import add_password_options, read_credentials
from mailproto.service._progress import ShownProgress
from mailproto.service._queue_text import counted, in_octets
from mailproto.service._reasons import file_error
from mailproto.service._server_options import add_tls_options, check_tls_options, mailbox_url
from mailproto.service._user_command import found_name
from mailproto.tls import TLSFilesError

__all__ = ["add_fetch_options", "client_problem"]


def add_fetch_options(parser: ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.set_defaults(first=_first, run=_into_account, is_long=True)
    parser.add_argument(
        "url",
        type=mailbox_url,
        metavar="URL",
        help="pop3s://USER@HOST, imaps://USER@HOST/MAILBOX, or pop3:// and imap:// for STARTTLS",
    )
    parser.add_argument(
        "target",
        type=FetchTarget.parse,
        metavar="TARGET",
        help="account:NAME@DOMAIN of a server here, maildir:PATH or mbox:PATH",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the messages on a POP3 server; otherwise those are removed that were kept safely",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how many messages are new")
    parser.add_argument("--json", action="store_true", help="print the summary for programs")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="where it is remembered what was fetched [default: a file of its own for this URL and TARGET]",
    )
    add_tls_options(parser)
    add_password_options(parser)


def _first(options: Namespace) -> None:
    """Read the password, before the process changes to the owner of a store."""
    url, target = options.url, options.target
    check_tls_options(options, [url])
    if target.is_account:
        options.name, options.domain = target.name, None
    else:
        options.alone = _into_files
    options.credentials = read_credentials(options, url.user, url.host)


async def _into_files(reactor: Any, options: Namespace) -> int:
    target = options.target.files()
    return await _fetch(reactor, options, target, target.name)


async def _into_account(store: IStore, options: Namespace) -> int:
    try:
        name = await found_name(store.directory, options)
    except NoSuchAccount:
        text = f"{options.target}: there is no such account: mailproto user add makes it"
        raise CommandError(text, status=os.EX_NOUSER) from None
    account = await settle(store.account(name))
    inbox = await settle(account.open("INBOX"))
    return await _fetch(options.reactor, options, inbox, f"account:{name}")


async def _fetch(reactor: Any, options: Namespace, target: Any, name: str) -> int:
    url = options.url
    state = state_file(options, url, name)
    try:
        with ShownProgress("messages", quiet=options.json) as shown:

            def show(progress: FetchProgress) -> None:
                shown.show(progress.done, progress.total, progress.octets, progress.total_octets)

            result = await fetch_new(
                reactor,
                url,
                options.credentials,
                target,
                state,
                delete=url.is_pop3 and not options.keep,
                dry_run=options.dry_run,
                plain=options.plain,
                trust_root=options.ca_file,
                progress=show,
            )
    except (ClientError, TLSFilesError) as error:
        raise client_problem(error, url) from None
    except StoreUnusable as error:
        raise CommandError(str(error), status=os.EX_TEMPFAIL) from None
    except MailError as error:
        raise CommandError(f"{options.target}: {error}", status=os.EX_CANTCREAT) from None
    except OSError as error:
        raise CommandError(file_error(error, Path(options.target.name)), status=os.EX_CANTCREAT) from None
    _report(result, options)
    return os.EX_TEMPFAIL if result.refused else os.EX_OK


def client_problem(error: ClientError | TLSFilesError, url: MailboxURL) -> CommandError:
    """The error of a command for one of its client: which server, what is wrong, what to do, and a status."""
    status, hint = os.EX_TEMPFAIL, ""
    if isinstance(error, TLSFilesError):
        status = os.EX_CONFIG
    elif isinstance(error, AuthenticationRefused) and error.is_permanent:
        status, hint = os.EX_NOPERM, "check the user's name and the password"
    elif isinstance(error, AuthenticationUnavailable):
        status, hint = os.EX_NOPERM, "use another kind of password (--token), or TLS"
    elif isinstance(error, TLSUnavailable):
        status, hint = os.EX_UNAVAILABLE, f"try {url.scheme}s://, or --plain to send the password in clear"
    elif isinstance(error, TLSFailed):
        status = os.EX_UNAVAILABLE
        if "certificate" in str(error):
            hint = "if its certificate is of your own CA, name that by --ca-file"
        elif "no TLS is spoken" in str(error) and url.scheme.endswith("s"):
            hint = f"try another port, or {url.scheme[:-1]}:// for STARTTLS"
    elif isinstance(error, CommandRefused) and error.is_permanent:
        status = os.EX_UNAVAILABLE
    text = printable(str(error))
    if url.host not in text:
        text = f"{url}: {text}"
    return CommandError(f"{text}{hint and ': '}{hint}", status=status)


def _report(result: FetchResult, options: Namespace) -> None:
    for line in result.refused:
        print(f"mailproto: {options.url}: {printable(line)}: it was left there", file=sys.stderr)
    if options.json:
        about = {"url": str(options.url), "target": str(options.target), "dry_run": options.dry_run}
        print(json.dumps(about | asdict(result)))
        return
    if options.dry_run:
        print(f"{counted(result.new, 'new message')} of {result.listed}; nothing was changed")
        return
    octets = f" ({in_octets(result.octets)})" if result.kept else ""
    removed = f", {result.removed} removed from the server" if result.removed else ""
    print(f"{counted(result.kept, 'new message')} of {result.listed} fetched{octets}{removed}")
