"""``mailproto mirror``: keeps two accounts in step."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mailproto.client.errors import ClientError
from mailproto.errors import MailError
from mailproto.files import make_folder
from mailproto.interfaces import IStore
from mailproto.mirroring import MirrorError, MirrorProgress, MirrorReport, mirror_account
from mailproto.printable import printable
from mailproto.service._command_error import CommandError
from mailproto.service._fetch_command import client_problem
from mailproto.service._mirror_place import MirrorPlace, mailboxes_of, mirror_state_file
from mailproto.service._password_source import add_password_options, read_credentials
from mailproto.service._progress import ShownProgress
from mailproto.service._queue_text import counted, in_octets
from mailproto.service._reasons import file_error
from mailproto.service._server_options import add_tls_options, check_tls_options

__all__ = ["add_mirror_options", "report_text"]

_SHOWN = 3
"""Names of mailboxes in a line."""


def add_mirror_options(parser: ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.set_defaults(first=_first, run=_run, is_long=True)
    takes = "account:NAME@DOMAIN of a server here, or imaps://USER@HOST (imap:// for STARTTLS)"
    parser.add_argument("source", type=MirrorPlace.parse, metavar="SOURCE", help=takes)
    parser.add_argument("target", type=MirrorPlace.parse, metavar="TARGET", help="likewise")
    parser.add_argument(
        "--both", action="store_true", help="changes of TARGET come to SOURCE, too; otherwise they stay there"
    )
    parser.add_argument(
        "--gone",
        choices=("keep", "remove", "restore"),
        default="keep",
        help="a mailbox that was removed on one side: keep it on the other; remove it there, too, if it has"
        " no mail of its own; or restore it from there [default: keep]",
    )
    parser.add_argument(
        "--mailbox",
        action="append",
        metavar="NAME",
        help="only this one, by its name at SOURCE; may be repeated [default: all; or the URL's]",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be changed")
    parser.add_argument("--json", action="store_true", help="print the summary for programs")
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="what is known from one run to the next [default: a file of its own for this SOURCE and TARGET]",
    )
    add_tls_options(parser)
    add_password_options(parser)
    add_password_options(parser, "target-")


def _first(options: Namespace) -> None:
    """Read the passwords, before the process changes to the owner of a store."""
    places = options.source, options.target
    if options.target.mailbox:
        text = f"{options.target}: TARGET is a whole account: leave out the mailbox; its name is SOURCE's"
        raise CommandError(text, status=os.EX_USAGE)
    servers = [place.url for place in places if place.url is not None]
    check_tls_options(options, servers)
    if len(servers) == 2:
        options.alone = _alone
    options.credentials = [None, None]
    for number, place in enumerate(places):
        if place.url is not None:
            # With one server there is one password, whichever side it is.
            prefix = "target-" if number and len(servers) == 2 else ""
            options.credentials[number] = read_credentials(options, place.url.user, place.url.host, prefix)


async def _alone(reactor: Any, options: Namespace) -> int:
    return await _mirror(reactor, None, options)


async def _run(store: IStore, options: Namespace) -> int:
    return await _mirror(options.reactor, store, options)


async def _mirror(reactor: Any, store: IStore | None, options: Namespace) -> int:
    source, target = options.source.full(options.data), options.target.full(options.data)
    if source == target:
        raise CommandError("SOURCE and TARGET are the same", status=os.EX_USAGE)
    between = f"{source} {target}"
    state = options.state
    if state is None:
        state = mirror_state_file(None, options.data, between, here=store is not None)
    try:
        if options.state is None and not options.dry_run:
            make_folder(Path(state).parent)
        report = await _mirror_opened(reactor, store, (source, target), state, between, options)
    except MirrorError as error:
        raise CommandError(str(error), status=os.EX_TEMPFAIL) from None
    except ClientError as error:
        url = source.url or target.url
        raise (client_problem(error, url) if url else CommandError(str(error))) from None
    except MailError as error:
        raise CommandError(str(error), status=os.EX_TEMPFAIL) from None
    except OSError as error:
        raise CommandError(file_error(error, Path(state)), status=os.EX_CANTCREAT) from None
    _print(report, options)
    return os.EX_TEMPFAIL if report.failures else os.EX_OK


async def _mirror_opened(
    reactor: Any,
    store: IStore | None,
    places: tuple[MirrorPlace, MirrorPlace],
    state: str | os.PathLike[str],
    between: str,
    options: Namespace,
) -> MirrorReport:
    first, second = options.credentials
    with ShownProgress("messages", quiet=options.json) as shown:

        def show(progress: MirrorProgress) -> None:
            shown.show(progress.done, progress.total)

        async with (
            places[0].opened(reactor, store, first, options) as source,
            places[1].opened(reactor, store, second, options) as target,
        ):
            return await mirror_account(
                source,
                target,
                state,
                both=options.both,
                gone=options.gone,
                dry_run=options.dry_run,
                mailboxes=mailboxes_of([options.source], options.mailbox),
                between=between,
                progress=show,
                clock=reactor,
            )


def _print(report: MirrorReport, options: Namespace) -> None:
    for failure in report.failures:
        print(f"mailproto: {printable(str(failure))}", file=sys.stderr)
    if options.json:
        about = {"source": str(options.source), "target": str(options.target), "dry_run": options.dry_run}
        print(json.dumps(about | asdict(report)))
        return
    end = "; nothing was changed" if options.dry_run else ""
    print(f"{counted(report.mailboxes, 'mailbox').replace('xs', 'xes')}: {report_text(report)}{end}")


def report_text(report: MirrorReport) -> str:
    """What a run has done, in one line."""
    parts = []
    if report.created:
        parts.append(f"{len(report.created)} made")
    if report.renamed:
        parts.append(f"{len(report.renamed)} renamed")
    if report.deleted:
        parts.append(f"{counted(len(report.deleted), 'mailbox').replace('xs', 'xes')} removed")
    if report.copied or report.copied_back:
        octets = f" ({in_octets(report.octets)})" if report.octets else ""
        back = f", {report.copied_back} back" if report.copied_back else ""
        parts.append(f"{counted(report.copied, 'message')} copied{back}{octets}")
    if report.flagged:
        parts.append(f"flags of {report.flagged} changed")
    if report.removed:
        parts.append(f"{counted(report.removed, 'message')} removed")
    if report.failures:
        parts.append(f"{len(report.failures)} failed")
    text = ", ".join(parts) or "nothing is new"
    if left := report.left_out:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        text += f"; left alone: {printable(', '.join(left[:_SHOWN]))}{more}"
    return text
