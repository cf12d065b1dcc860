"""``mailproto migrate``: copies many accounts, and compares them at the end."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from mailproto.errors import MailError
from mailproto.files import make_folder
from mailproto.interfaces import IStore
from mailproto.mirroring import (
    MailboxComparison,
    MirrorError,
    MirrorReport,
    compare_accounts,
    mirror_account,
)
from mailproto.printable import printable
from mailproto.service._account_file import read_private
from mailproto.service._command_error import CommandError
from mailproto.service._migrate_list import Migration, migrations
from mailproto.service._mirror_command import report_text
from mailproto.service._mirror_place import mirror_state_file
from mailproto.service._password_source import PasswordSource, add_password_options
from mailproto.service._progress import ShownProgress
from mailproto.service._queue_text import counted
from mailproto.service._reasons import file_error
from mailproto.service._server_options import add_tls_options, check_tls_options

__all__ = ["add_migrate_options"]

_JOBS = 4


@dataclass(slots=True)
class Outcome:
    """What became of one account.

    :ivar report: None if it was not mirrored to its end.
    :ivar compared: None if it was not compared.
    :ivar problem: why not.
    """

    source: str
    target: str
    report: MirrorReport | None = None
    compared: list[MailboxComparison] | None = None
    problem: str = ""

    @property
    def is_well(self) -> bool:
        """Whether everything is at the target, as far as it was looked at."""
        return (
            not self.problem
            and self.report is not None
            and not self.report.failures
            and all(each.agrees for each in self.compared or ())
        )


def add_migrate_options(parser: ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.set_defaults(first=_first, run=_run, is_long=True)
    parser.add_argument(
        "list",
        metavar="LIST",
        help="a private file with lines SOURCE,SOURCE_PASSWORD,TARGET,TARGET_PASSWORD (CSV); each SOURCE and"
        " TARGET is imaps://USER@HOST or, without a password, account:NAME@DOMAIN of a server here; passwords"
        " that are empty are those of the options",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=_JOBS,
        metavar="N",
        help=f"accounts under way at a time [default: {_JOBS}]",
    )
    parser.add_argument(
        "--no-compare", action="store_true", help="do not read all messages of both sides again at the end"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be copied; signs in everywhere"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the report for programs, a line an account"
    )
    parser.add_argument(
        "--state",
        metavar="FOLDER",
        help="where it is remembered what was copied [default: a folder of its own]",
    )
    add_tls_options(parser)
    add_password_options(parser)
    add_password_options(parser, "target-")


def _first(options: Namespace) -> None:
    """Read the list, before the process changes to the owner of a store."""
    options.passwords = [PasswordSource(options, prefix) for prefix in ("", "target-")]
    needed = (not options.passwords[0].is_given, not options.passwords[1].is_given)
    try:
        options.migrations = list(migrations(read_private(options.list), needed))
    except ValueError as error:
        raise CommandError(f"{options.list}: {error}", status=os.EX_CONFIG) from None
    if not options.migrations:
        raise CommandError(f"{options.list}: it names no accounts", status=os.EX_CONFIG)
    if options.jobs < 1:
        raise CommandError("--jobs: must be at least 1", status=os.EX_USAGE)
    places = [place for each in options.migrations for place in (each.source, each.target)]
    check_tls_options(options, [place.url for place in places if place.url is not None])
    for source in options.passwords:
        source.read_now()
    if all(place.url is not None for place in places):
        options.alone = _alone


async def _alone(reactor: Any, options: Namespace) -> int:
    return await _migrate(reactor, None, options)


async def _run(store: IStore, options: Namespace) -> int:
    return await _migrate(options.reactor, store, options)


async def _migrate(reactor: Any, store: IStore | None, options: Namespace) -> int:
    waiting = iter(options.migrations)
    outcomes: list[Outcome] = []
    with ShownProgress("accounts", quiet=options.json) as shown:
        total = len(options.migrations)
        shown.show(0, total)

        async def work() -> None:
            for each in waiting:
                outcomes.append(await _migrate_one(reactor, store, each, options))
                shown.show(len(outcomes), total)

        workers = [Deferred.fromCoroutine(work()) for _ in range(min(options.jobs, total))]
        await DeferredList(workers, fireOnOneErrback=True, consumeErrors=True)
    _print(outcomes, options)
    return os.EX_OK if all(each.is_well for each in outcomes) else os.EX_TEMPFAIL


async def _migrate_one(reactor: Any, store: IStore | None, each: Migration, options: Namespace) -> Outcome:
    source, target = each.source.full(options.data), each.target.full(options.data)
    outcome = Outcome(str(source), str(target))
    between = f"{source} {target}"
    state = mirror_state_file(options.state, options.data, between, here=store is not None)
    try:
        if not options.dry_run:
            make_folder(state.parent)
        async with (
            source.opened(reactor, store, _credentials(reactor, each, 0, options), options) as ours,
            target.opened(reactor, store, _credentials(reactor, each, 1, options), options) as theirs,
        ):
            outcome.report = await mirror_account(
                ours, theirs, state, gone="restore", dry_run=options.dry_run, between=between, clock=reactor
            )
        if not options.dry_run and not options.no_compare:
            async with (
                source.opened(reactor, store, _credentials(reactor, each, 0, options), options) as ours,
                target.opened(reactor, store, _credentials(reactor, each, 1, options), options) as theirs,
            ):
                outcome.compared = await compare_accounts(ours, theirs, state, clock=reactor)
    except OSError as error:
        outcome.problem = file_error(error, Path(state))
    except (CommandError, MailError, MirrorError) as error:
        outcome.problem = str(error)
    except Exception as error:  # one account's fault is not the others'
        Logger().failure("{source} to {target}", source=str(source), target=str(target))
        outcome.problem = f"an unexpected error: {error or type(error).__name__}"
    return outcome


def _credentials(reactor: Any, each: Migration, side: int, options: Namespace) -> Any:
    """The credentials of one side: those of the list, or a function that gets them from somewhere else."""
    found, url = each.passwords[side], (each.source, each.target)[side].url
    if found is not None or url is None:
        return found
    read: PasswordSource = options.passwords[side]
    return lambda: deferToThreadPool(reactor, reactor.getThreadPool(), read.read, url.user, url.host)


def _print(outcomes: Iterable[Outcome], options: Namespace) -> None:
    ordered = sorted(outcomes, key=lambda each: (not each.is_well, each.source))
    for each in ordered:
        if options.json:
            print(json.dumps(asdict(each) | {"is_well": each.is_well}))
        else:
            print(printable(_line(each, options)))
    if not options.json:
        well = sum(each.is_well for each in ordered)
        what = "can be migrated" if options.dry_run else "copied" if options.no_compare else "agree"
        print(f"{well} of {counted(len(ordered), 'account')} {what}")
    for each in ordered:
        for failure in each.report.failures if each.report else ():
            print(f"mailproto: {printable(f'{each.source}: {failure}')}", file=sys.stderr)
        for found in each.compared or ():
            if not found.agrees:
                text = f"{each.source}: {found.mailbox}: {found.missing} of {found.source_messages} missing"
                print(f"mailproto: {printable(text)}", file=sys.stderr)


def _line(outcome: Outcome, options: Namespace) -> str:
    names = f"{outcome.source} to {outcome.target}"
    if outcome.problem or outcome.report is None:
        return f"FAILED {names}: {outcome.problem}"
    text = report_text(outcome.report)
    if outcome.compared is not None:
        messages = sum(each.source_messages for each in outcome.compared)
        missing = sum(each.missing for each in outcome.compared)
        there = f"{missing} of {messages} missing" if missing else f"all {counted(messages, 'message')} there"
        text += f"; compared: {there}"
    return f"{'ok' if outcome.is_well else 'FAILED'} {names}: {text}"
