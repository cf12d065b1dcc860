"""``mailproto send``: sends a message of a script or of cron, as sendmail does.

It puts the message on the queue of a store here, or gives it to a server by SMTP.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
import uuid
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from mailproto.accounts import full_name
from mailproto.awaiting import settle
from mailproto.client import ServerAddress
from mailproto.client.errors import ClientError
from mailproto.connection import own_hostname
from mailproto.content import Content
from mailproto.delivery import MailboxDelivery
from mailproto.dkim import KeyFolder, author_domain
from mailproto.domains import canonical_domain
from mailproto.errors import MailError
from mailproto.interfaces import IQueueStore, IStore
from mailproto.model import Address, Envelope, Parameters, Recipient, Session
from mailproto.relay import NextHop, QueueDelivery
from mailproto.service._accounts import remembered_domains
from mailproto.service._aliases import remembered_aliases, srs_of
from mailproto.service._command_error import CommandError
from mailproto.service._dkim_command import DKIM_FOLDER
from mailproto.service._relay_settings import credentials_of
from mailproto.service._remembered_limits import SendLimits, remembered_limits
from mailproto.service._remembered_routes import remembered_routes
from mailproto.service._send_log import begin_log, log_taken
from mailproto.service._send_message import read_message, recipients_of, with_domains, with_header
from mailproto.service._setting_error import SettingError
from mailproto.smtp import send_mail
from mailproto.smtp.client._composing import Composed, compose
from mailproto.smtp.errors import AllRefused
from mailproto.smtp.wire import encode_xtext

__all__ = ["add_send_options"]

SERVER_VARIABLE: Final = "MAILPROTO_SERVER"
"""The environment variable for ``--server``."""

_IGNORED = ("-A", "-B", "-C", "-D", "-L", "-O", "-X", "-d", "-e", "-p")
"""Options of sendmail that take a value and mean nothing here."""

_MODES = {
    "d": "a server is started by twistd mailproto",
    "s": "SMTP is spoken at the ports of the server",
    "p": "say mailproto queue list",
    "i": "aliases are read when their file changes",
    "v": "say EXPN to the server",
}
"""What does that which modes of sendmail (-b) do, which are not here."""


def add_send_options(parser: ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.set_defaults(prepare=_prepare, run=_to_queue, user=_user())
    parser.add_argument("recipients", nargs="*", metavar="ADDRESS", help="a recipient")
    parser.add_argument(
        "-t", action="store_true", help="send to all in To, Cc and Bcc, too, or in Resent-To and so on"
    )
    parser.add_argument("-i", action="store_true", help="a line with one dot is not the end of the message")
    parser.add_argument("-f", "-r", dest="sender", metavar="ADDRESS", help="the sender, '<>' for none")
    parser.add_argument("-F", dest="full_name", metavar="NAME", help="the name in From, if that is missing")
    parser.add_argument("-N", dest="notify", metavar="WHEN", help="never, or some of success,failure,delay")
    parser.add_argument("-R", dest="returned", metavar="full|hdrs", help="what reports have of the message")
    parser.add_argument("-V", dest="envelope_id", metavar="ID", help="an id for reports")
    parser.add_argument(
        "-o", dest="others", action="append", default=[], metavar="OPTION", help="as sendmail's"
    )
    parser.add_argument("-b", dest="mode", default="m", metavar="MODE", help="only -bm, which sends")
    parser.add_argument("-q", dest="run_queue", nargs="?", const="", help="refused: mailproto queue flush")
    parser.add_argument("-v", "-n", "-m", "-U", "-G", dest="ignored", action="store_true", help="ignored")
    for option in _IGNORED:
        parser.add_argument(option, dest="ignored", help="ignored")
    parser.add_argument(
        "--server",
        default=os.environ.get(SERVER_VARIABLE),
        metavar="URL",
        help="give the message to this server, smtp://HOST:PORT, instead of the queue here "
        f"[default: ${SERVER_VARIABLE}]",
    )
    parser.add_argument("--credentials", metavar="FILE", help="a line HOST USER PASSWORD for the server")


def _prepare(options: Namespace) -> None:
    """Read and complete the message, before the reactor runs.

    :raises CommandError: there is no message that can be sent.
    """
    _check_mode(options)
    domains = remembered_domains(options.data) if options.server is None else []
    limits = remembered_limits(options.data) if options.server is None else SendLimits()
    if options.server is not None:
        options.alone = _to_server
    options.domains = domains or [own_hostname()]
    is_whole = options.i or "i" in options.others
    octets = read_message(sys.stdin.buffer, to_the_end=is_whole, limit=limits.max_message_size)
    user = options.user
    sender = options.sender
    sender = f"{user}@{options.domains[0]}" if sender is None else sender.strip("<>")
    sender = full_name(sender, options.domains[0])
    octets = with_header(
        with_domains(octets, options.domains[0]),
        sender=sender or f"{user}@{options.domains[0]}",
        name=options.full_name or "",
        now=time.time(),
        host=own_hostname(),
    )
    named = [full_name(each.strip("<>"), options.domains[0]) for each in options.recipients]
    path = _address(sender, "sender")
    for each in named:
        _address(each, "recipient")
    try:
        found: list[str | Address] = [*named]
        if options.t or not named:
            found += recipients_of(octets)
        composed = compose(octets, path, found, time.time())
        options.message = _with_wishes(composed, options)
    except ValueError as error:
        raise CommandError(str(error), status=os.EX_DATAERR) from None


def _check_mode(options: Namespace) -> None:
    """:raises CommandError: sendmail would do something else than to send a message."""
    if options.run_queue is not None:
        raise CommandError("-q: the server runs its queue; say mailproto queue flush", status=os.EX_USAGE)
    if options.mode != "m":
        instead = _MODES.get(options.mode[:1], "there is only -bm")
        raise CommandError(f"-b{options.mode}: this only sends messages; {instead}", status=os.EX_USAGE)
    if options.returned is not None and options.returned.lower() not in ("full", "hdrs"):
        raise CommandError(f"-R {options.returned}: must be full or hdrs", status=os.EX_USAGE)


def _address(text: str, who: str) -> Address:
    """:raises CommandError: the text is no address."""
    try:
        return Address.parse(text)
    except ValueError as error:
        why = str(error).rpartition("': ")[2]
        raise CommandError(f"the {who} {text!r} is no address: {why}", status=os.EX_DATAERR) from None


def _with_wishes(composed: Composed, options: Namespace) -> tuple[Composed, Parameters]:
    """The message's recipients with what is wanted for each, and the parameters of MAIL.

    :raises ValueError: NOTIFY is none.
    """
    parameters: dict[str, str | None] = {}
    if options.returned:
        parameters["RET"] = options.returned.upper()
    if options.envelope_id:
        parameters["ENVID"] = encode_xtext(options.envelope_id.encode("ascii"))
    if not composed.content.isascii():
        parameters["BODY"] = "8BITMIME"
    if not str(composed.sender).isascii() or any(not each.isascii() for each in composed.names):
        parameters["SMTPUTF8"] = None
    if options.notify is None:
        return composed, parameters
    wanted = options.notify.upper()
    if wanted != "NEVER" and not set(wanted.split(",")) <= {"SUCCESS", "FAILURE", "DELAY"}:
        raise ValueError(f"-N: never, or some of success,failure,delay, not {options.notify!r}")
    recipients = tuple([Recipient(each.address, {"NOTIFY": wanted}) for each in composed.recipients])
    return Composed(composed.sender, recipients, composed.content, composed.names), parameters


async def _to_queue(store: IStore, options: Namespace) -> int:
    """Put the message into the mailboxes and onto the queue of a store here; a running server sends it."""
    if not IQueueStore.providedBy(store):
        raise CommandError("this store keeps no queue: name a server with --server")
    composed, parameters = options.message
    folder = Path(options.data)
    begin_log()
    try:
        aliases = remembered_aliases(folder, options.domains)
        # Only what an alias sends on has a reverse-path of ours.
        srs = srs_of(folder, options.domains) if aliases is not None else None
    except (OSError, ValueError) as error:
        raise CommandError(f"the aliases cannot be used: {error}", status=os.EX_TEMPFAIL) from None
    limits = remembered_limits(folder)
    delivery = QueueDelivery(
        store,
        MailboxDelivery(store, options.domains),
        remembered_routes(folder),
        lifetime=limits.lifetime,
        delay_notice=limits.delay_notice,
        aliases=aliases,
        srs=srs,
        signing_keys=KeyFolder(folder / DKIM_FOLDER),
        hostname=own_hostname(),
    )
    content = Content(composed.content)
    # Who may write to the store may sign for all of its domains.
    account = f"{options.user}@{author_domain(content) or own_hostname()}"
    session = Session("ESMTP", own_hostname(), submission=True, account=account)
    taken: list[Recipient] = []
    status = os.EX_OK
    for recipient in composed.recipients:
        try:
            await settle(delivery.recipient(session, recipient.address, recipient.parameters))
        except MailError as error:
            status = _say(str(recipient.address), error)
        else:
            taken.append(recipient)
    if not taken:
        return status
    envelope = Envelope(uuid.uuid4().hex, composed.sender, tuple(taken), session, parameters)
    outcomes = await delivery.deliver(envelope, content)
    log_taken(options.user, envelope, outcomes, content)
    for recipient, outcome in zip(taken, outcomes, strict=True):
        if not outcome.accepted:
            status = _say(str(recipient.address), outcome)
    return status


async def _to_server(reactor: Any, options: Namespace) -> int:
    """Give the message to a server by SMTP."""
    composed, parameters = options.message
    try:
        server = _server(options)
        result = await send_mail(
            reactor,
            server,
            composed.content,
            sender=composed.sender,
            recipients=composed.recipients,
            parameters=parameters,
        )
    except AllRefused as error:
        result = error.result
    except SettingError as error:
        raise CommandError(error.line("--credentials"), status=os.EX_CONFIG) from None
    except ValueError as error:
        raise CommandError(f"--server: {error}", status=os.EX_CONFIG) from None
    except ClientError as error:
        raise CommandError(str(error), status=os.EX_TEMPFAIL) from None
    status = os.EX_OK
    for address, outcome in result.refused.items():
        status = _say(address, outcome)
    return status


def _server(options: Namespace) -> ServerAddress:
    """:raises ValueError, SettingError: the URL or the file of credentials is not valid."""
    hop = NextHop.parse(options.server)
    if hop.scheme not in ("smtp", "smtps") or not hop.host:
        raise ValueError("must be smtp://HOST:PORT or smtps://HOST:PORT")
    credentials = credentials_of(options.credentials) if options.credentials else {}
    password = {canonical_domain(host): each for host, each in credentials.items()}.get(hop.host)
    if hop.scheme == "smtps":
        return ServerAddress(hop.host, hop.port, "implicit", password)
    is_strict = hop.tls in ("required", "verified") or (password is not None and hop.tls is None)
    tls = "none" if hop.tls == "none" else "required" if is_strict else "opportunistic"
    return ServerAddress(hop.host, hop.port, tls, password)  # type: ignore[arg-type]


def _say(address: str, refusal: Any) -> int:
    """Tell of a recipient who gets nothing; returns the exit status for that (sysexits.h)."""
    hint = "; see --credentials" if refusal.code == 530 else ""
    print(f"mailproto: {address}: {refusal.code} {refusal.enhanced} {refusal.text}{hint}", file=sys.stderr)
    return os.EX_TEMPFAIL if refusal.code < 500 else os.EX_NOUSER


def _user() -> str:
    """The name of who calls."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid{os.getuid()}"
