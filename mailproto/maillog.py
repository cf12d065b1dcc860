"""The mail log: what happens to each message, which accounts sign in, and what is refused and why.

There is one function for each kind of event.  Each emits one event of ``twisted.logger``.  Its fields have
the names and the values that ``docs/log.md`` lists, and its text has these fields in one line, for example
::

    refused peer=192.0.2.1 protocol=smtp command=RCPT recipient=<x@example.org> reply="550 5.1.1 ..."

The text is formatted at once, and is the event's field ``line``.  Values come from clients: `printable` and
quotes make sure that no client can forge a line or a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from time import time
from typing import Any, Final, Protocol, TypeAlias, cast, runtime_checkable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel

from mailproto.errors import MailError, Unavailable
from mailproto.model import Address, Envelope, Outcome
from mailproto.printable import printable

__all__ = [
    "LINE",
    "MAX_REFUSALS",
    "MAX_VALUE",
    "NAMESPACE",
    "Client",
    "HasClient",
    "Refusals",
    "appended",
    "client_of",
    "ended",
    "failed",
    "message",
    "recipients",
    "refused",
    "sign_in_failed",
    "signed_in",
    "turned_away",
]

NAMESPACE: Final = "mail"
"""The ``log_namespace`` of all events: Twisted's observers write ``[mail#info]`` before the text."""

LINE: Final = "{line}"
"""The ``log_format`` of all events: their text is formatted already."""

MAX_VALUE: Final = 500
"""The most characters of one value; a longer one is cut and ends in ``...``."""

MAX_REFUSALS: Final = 1000
"""The most refusals of one connection that are logged until it delivers mail; further ones are only
counted."""

_MAX_LISTED: Final = 10
"""The most recipients in a message's own line; with several recipients, each also has its own line."""

_RECIPIENTS_AT_ONCE: Final = 50
"""Lines that are written without a pause; one of Twisted's observers takes 20 us for each."""

_MAX_WAITING: Final = 100
"""The most events that wait for the reactor's next iteration."""

_BARE: Final = re.compile(r'[^\s"\\]+')
"""Matches a value that needs no quotes."""

_log = Logger(NAMESPACE)

Fields: TypeAlias = Mapping[str, str | int | float]

_NOTHING: Final[Fields] = {}


class Refusals:
    """Counts the refusals of one connection, and limits how many are logged, so that a client cannot fill
    the disk.

    :ivar number: the number of refusals.
    :ivar unlogged: the number of those that were not logged.
    """

    __slots__ = ("_left", "number", "unlogged")

    def __init__(self) -> None:
        self.number = self.unlogged = 0
        self._left = MAX_REFUSALS

    def take(self) -> bool:
        """Count a refusal; returns whether to log it."""
        self.number += 1
        if not self._left:
            self.unlogged += 1
            return False
        self._left -= 1
        return True

    def begin_anew(self) -> None:
        """Start counting towards the limit again, because the client has delivered mail."""
        self._left = MAX_REFUSALS


class Client:
    """A client: the fields that all events of its session have in common.

    :ivar fields: the fields whose value is known.
    :ivar text: the same fields as text, each after a space.
    :ivar refusals: the counter of the connection; it stays the same when other fields change.
    """

    __slots__ = ("fields", "refusals", "text")

    def __init__(
        self,
        *,
        peer: object,
        protocol: str,
        helo: str = "",
        tls: str = "",
        account: str | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        given = {"peer": str(peer), "protocol": protocol, "helo": helo, "tls": tls, "account": account or ""}
        known = {name: value for name, value in given.items() if value}
        self.fields: Fields = {name: printable(value, MAX_VALUE) for name, value in known.items()}
        self.text = _text(known)
        self.refusals = refusals or Refusals()


@runtime_checkable
class HasClient(Protocol):
    """A session that has a `Client`, as server connections do."""

    @property
    def client(self) -> Client:
        """The client with its current fields."""


def client_of(session: object) -> Client:
    """The client of a session; a client without fields if the session has none."""
    return session.client if isinstance(session, HasClient) else Client(peer="", protocol="")


# -- a message


def message(
    client: Client,
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    *,
    size: int,
    message_id: str = "",
    answer: Outcome | None = None,
    clock: object = None,
) -> None:
    """Log ``taken``, ``deferred`` or ``refused``: the result for a message after its content was received.

    With one recipient, this line also has the recipient's outcome; with several, iterate over `recipients`
    afterwards.

    :param outcomes: one for each recipient.
    :param size: octets of the content.
    :param answer: the reply for the whole message; None if it is taken.
    :param clock: the running reactor: events of taken messages are then emitted together, at the beginning
        of its next iteration or before any other event of the mail log.  An event costs 3 us among others,
        and up to 15 us alone.  With any other clock, events are emitted at once.
    """
    if answer is None:
        client.refusals.begin_anew()
        if getattr(clock, "running", False) is True:
            if not _waiting:
                cast(IReactorTime, clock).callLater(0, _emit_waiting)
            _waiting.append((client, envelope, outcomes, size, message_id, time()))
            if len(_waiting) >= _MAX_WAITING:
                _emit_waiting()
            return
    _emit_message(client, envelope, outcomes, size, message_id, time(), answer)


_waiting: list[tuple[Client, Envelope, Sequence[Outcome], int, str, float]] = []


def _emit_waiting() -> None:
    waiting = _waiting.copy()
    _waiting.clear()
    for about in waiting:
        _emit_message(*about)


def _emit_message(
    client: Client,
    envelope: Envelope,
    outcomes: Sequence[Outcome],
    size: int,
    message_id: str,
    at: float,
    answer: Outcome | None = None,
) -> None:
    recipients = envelope.recipients
    number = len(recipients)
    sender = f"<{envelope.sender}>"
    recipient = f"<{recipients[0].address}>" if number == 1 else _list(envelope)
    fields: dict[str, str | int | float]
    fields = {"sender": sender, "recipients": number, "recipient": recipient, "size": size}
    text = f" sender={sender} recipients={number} recipient={recipient} size={size}"
    if message_id:
        fields["message_id"] = message_id
        text += f" message_id={message_id}"
    kind, level = "taken", LogLevel.info
    if answer is not None:
        kind, level = _kind(answer), _level(answer)
        fields["reply"] = _reply(answer)
        text = ""
    if number == 1 and (detail := outcomes[0].detail):
        fields["detail"] = detail
        text = text and f"{text} detail={detail}"
    _emit(level, kind, client, fields, envelope.id, text, at)


def recipients(envelope: Envelope, outcomes: Sequence[Outcome], *, each_told: bool = True) -> Iterator[None]:
    """Log ``accepted``, ``deferred`` or ``refused`` for each recipient of a message that has several.

    If the message was taken for some of them, and the client gets one reply for all (SMTP), it is not told of
    the others: for these the line is ``unreported``, a warning.

    :param each_told: whether the client gets each recipient's reply (LMTP).
    :returns: an iterator that does the work: the caller may let the reactor run between two steps.
    """
    if len(outcomes) == 1:
        return
    untold = not each_told and any(outcome.accepted for outcome in outcomes)
    for number, (recipient, outcome) in enumerate(zip(envelope.recipients, outcomes, strict=True), 1):
        level, kind, told = _level(outcome), "accepted" if outcome.accepted else _kind(outcome), ""
        if untold and not outcome.accepted:
            level = max(level, LogLevel.warn, key=_LEVELS.index)
            kind, told = "unreported", _TOLD
        fields = {
            "sender": f"<{envelope.sender}>" if told else "",
            "recipient": f"<{recipient.address}>",
            "reply": "" if outcome.accepted else _reply(outcome),
            "told": told,
            "detail": outcome.detail,
        }
        _emit(level, kind, None, fields, envelope.id)
        if not number % _RECIPIENTS_AT_ONCE:
            yield


_TOLD: Final = "250, because of other recipients: the sender does not learn the reply"
"""What the client was told about a recipient for which the message was not taken."""

_LEVELS: Final = (LogLevel.info, LogLevel.warn, LogLevel.error)


def _list(envelope: Envelope) -> str:
    listed = [f"<{recipient.address}>" for recipient in envelope.recipients[:_MAX_LISTED]]
    return ",".join([*listed, "..."] if len(envelope.recipients) > _MAX_LISTED else listed)


def appended(client: Client, mailbox: str, uid: int, size: int) -> None:
    """Log ``appended``: a client put a message into a mailbox (IMAP's APPEND)."""
    _emit(LogLevel.info, "appended", client, {"mailbox": mailbox, "uid": uid, "size": size})


# -- refusals and failures


def refused(
    client: Client,
    reply: Outcome | str,
    *,
    command: str = "",
    sender: Address | None = None,
    recipient: Address | None = None,
    detail: str = "",
) -> None:
    """Log ``refused``, or ``deferred`` if the client is asked to try again.

    :param reply: the reply to the client, with its code if the protocol has codes.
    :param command: the refused command; "" if the client itself was refused.
    """
    if not client.refusals.take():
        return
    fields = {"command": command}
    if sender is not None:
        fields["sender"] = f"<{sender}>"
    if recipient is not None:
        fields["recipient"] = f"<{recipient}>"
    kind, level = "refused", LogLevel.info
    if isinstance(reply, Outcome):
        kind, level = _kind(reply), _level(reply)
        detail = detail or reply.detail
        reply = _reply(reply)
    elif reply.startswith("4"):
        kind = "deferred"
    _emit(level, kind, client, {**fields, "reply": reply, "detail": detail})


def failed(client: Client, command: str, error: MailError) -> None:
    """Log ``failed``: an IMAP or POP3 command failed because of a fault on the server, with the cause."""
    if client.refusals.take():
        fields = {"command": command, "reply": error.text, "detail": error.detail}
        _emit(_level_of(error), "failed", client, fields)


# -- sessions


def turned_away(client: Client, reason: str) -> None:
    """Log ``turned-away``: a connection was closed without service."""
    _emit(LogLevel.warn, "turned-away", client, {"reason": reason})


def signed_in(client: Client, account: str, mechanism: str) -> None:
    """Log ``signed-in``: the account, and the mechanism."""
    _emit(LogLevel.info, "signed-in", client, {"account": account, "mechanism": mechanism})


def sign_in_failed(client: Client, mechanism: str, name: str | bytes, error: MailError) -> None:
    """Log ``sign-in-failed``.

    :param name: the name as the client gave it.
    """
    if not client.refusals.take():
        return
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    fields = {"mechanism": mechanism, "name": text, "detail": error.detail or error.text}
    _emit(_level_of(error), "sign-in-failed", client, fields)


def ended(client: Client, reason: str, seconds: float, counts: Fields) -> None:
    """Log ``ended``: a connection has ended.

    Its level is debug if nothing happened: no account signed in, and all counts are 0.
    """
    counted = {name: number for name, number in counts.items() if number}
    if client.refusals.number:
        counted["refused"] = client.refusals.number
    if client.refusals.unlogged:
        counted["unlogged"] = client.refusals.unlogged
    level = LogLevel.info if counted or "account" in client.fields else LogLevel.debug
    _emit(level, "ended", client, {"reason": reason, "seconds": round(seconds, 1), **counted})


# -- formatting


def _kind(outcome: Outcome) -> str:
    return "deferred" if outcome.code < 500 else "refused"


def _reply(outcome: Outcome) -> str:
    return f"{outcome.code} {outcome.enhanced} {outcome.text}"


def _level(outcome: Outcome) -> Any:
    """Error if the server failed, rather than the message (RFC 3463 3.4: X.3.X); warning if another server
    could not be reached (3.5: X.4.X)."""
    return _SPECIAL_LEVELS.get(outcome.enhanced[:4], LogLevel.info)


_SPECIAL_LEVELS: Final[Mapping[str, Any]] = {"4.3.": LogLevel.error, "4.4.": LogLevel.warn}


def _level_of(error: MailError) -> Any:
    return LogLevel.error if isinstance(error, Unavailable) else LogLevel.info


def _emit(
    level: Any,
    kind: str,
    client: Client | None,
    fields: Fields,
    id: str = "",
    text: str = "",
    at: float | None = None,
) -> None:
    """Emit an event; values are quoted where necessary.

    :param fields: fields with the value "" are left out.
    :param text: the fields as text, unquoted, if the caller has it.
    :param at: the time of the event, in seconds since the epoch; None for now.
    """
    if _waiting:
        _emit_waiting()
    if not text:
        fields = {name: value for name, value in fields.items() if value != ""}
        text = "".join([f" {name}={value}" for name, value in fields.items()])
    # In most lines, no value needs quotes.
    is_plain = text.isprintable() and '"' not in text and "\\" not in text
    if not is_plain or text.count(" ") != len(fields) or len(text) > MAX_VALUE:
        text = _text(fields)
        fields = {name: _shown(value) for name, value in fields.items()}
    shared, start = (_NOTHING, "") if client is None else (client.fields, client.text)
    event: dict[str, object] = {
        "kind": kind,
        "line": f"{kind} id={id}{start}{text}" if id else f"{kind}{start}{text}",
        **shared,
        **fields,
        "log_level": level,
        "log_namespace": NAMESPACE,
        "log_format": LINE,
        "log_logger": _log,
        "log_source": None,
        "log_time": time() if at is None else at,
    }
    if id:
        event["id"] = id
    _log.observer(event)


def _shown(value: str | int | float) -> str | int | float:
    return printable(value, MAX_VALUE) if isinstance(value, str) else value


def _text(fields: Fields) -> str:
    return "".join([f" {name}={_quoted(value)}" for name, value in fields.items()])


def _quoted(value: str | int | float) -> str | int | float:
    if not isinstance(value, str):
        return value
    # Cut first, because `printable` makes the text longer, and marks a cut.
    escaped = value[: MAX_VALUE + 1].replace("\\", "\\\\").replace('"', '\\"')
    shown = printable(escaped, MAX_VALUE)
    return shown if _BARE.fullmatch(shown) else f'"{shown}"'
