"""The observer that writes the mail log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, Final, cast

from twisted.logger import LogLevel

from mailproto.errors import Unavailable
from mailproto.maillog._lines import Fields, emit, emit_taken
from mailproto.maillog._sparing import Sparing
from mailproto.model import Address, QueueState
from mailproto.observing import (
    Accepted,
    Appended,
    Client,
    Delivered,
    Disconnected,
    Expanded,
    IObserver,
    Observer,
    Observers,
    Refusal,
    Relayed,
    Reported,
    SignedIn,
    SignInRefused,
    Stalled,
    TurnedAway,
    Unreached,
)

__all__ = ["LINES_A_MINUTE", "MAX_REFUSALS", "MailLog", "observer_of"]

MAX_REFUSALS: Final = 1000
"""The most refusals of one connection that are logged until it delivers mail; further ones are only
counted."""

LINES_A_MINUTE: Final = 600
"""The most lines about refusals of one client, by its network, that are written in a minute."""

_MAX_KINDS: Final = 200
"""The most kinds of stalls that are known, because clients choose the names of unknown commands."""

_MAX_NETWORKS: Final = 10_000
"""The most networks whose lines are counted."""

_MAX_LISTED: Final = 10
"""The most recipients in a message's own line; with several recipients, each also has its own line."""

_MAX_WAITING: Final = 100
"""The most events that wait for the reactor's next iteration."""

_TOLD: Final = "250, because of other recipients: the sender does not learn the reply"
"""What the client was told about a recipient for which the message was not taken."""

_LEVELS: Final = (LogLevel.info, LogLevel.warn, LogLevel.error)

_RELAYED: Final = {QueueState.SENT: "sent", QueueState.WAITING: "delayed", QueueState.FAILED: "given-up"}

_IN_WORDS: Final = frozenset({"imap", "pop3"})
"""The protocols whose replies have no codes."""


class _Refusals:
    """Counts the refusals of one connection, and limits how many are logged, so that a client cannot fill
    the disk.

    :ivar number: the number of refusals.
    :ivar unlogged: the number of those that were not logged.
    :ivar left: how many may still be logged.
    """

    __slots__ = ("left", "number", "unlogged")

    def __init__(self) -> None:
        self.number = self.unlogged = 0
        self.left = MAX_REFUSALS


_REFUSED: Final = frozenset({"refused", "unlogged", "errors"})
"""The counts of a connection that has got nothing done."""

_REFUSALS: Final = object()
"""The key of a connection's `_Refusals` in `Client.notes`."""


class MailLog(Observer):
    """Writes the mail log.

    :param clock: the running reactor: events of taken messages are then emitted together, at the beginning
        of its next iteration or before any other event of the mail log.  An event costs 3 us among others,
        and up to 15 us alone.  With any other clock, or None, events are emitted at once.
    """

    needs_single = False  # a message with one recipient has one line
    needs_octets = False

    def __init__(self, clock: object = None) -> None:
        self._reactor: Any = clock if hasattr(clock, "running") else None
        self._seconds: Callable[[], float] = getattr(clock, "seconds", monotonic)
        self._stalls = Sparing[tuple[str, str]](1, _MAX_KINDS)
        self._refusals = Sparing[str](LINES_A_MINUTE, _MAX_NETWORKS)

    def accepted(self, event: Accepted) -> None:
        """Log ``taken``.  With one recipient, this line also has the recipient's outcome."""
        refusals = event.client.notes.get(_REFUSALS)
        if refusals is not None:
            refusals.left = MAX_REFUSALS
        clock = self._reactor
        if clock is None or clock.running is not True:
            _log_message(event, time())
            return
        if not _waiting:
            clock.callLater(0, _emit_waiting)
        _waiting.append(event)
        _times.append(time())
        if len(_waiting) >= _MAX_WAITING:
            _emit_waiting()

    def delivered(self, event: Delivered) -> None:
        """Log ``accepted``, ``deferred`` or ``refused`` for a recipient of a message that has several.

        For one of whom the client is not told, the line is ``unreported``, a warning.
        """
        outcome = event.outcome
        if len(event.envelope.recipients) == 1:
            return
        if not outcome.accepted and event.is_told and not self._has_room(event.client):
            return
        level, kind, told = _level(outcome.enhanced), _kind(outcome.code), ""
        if outcome.accepted:
            kind = "accepted"
        elif not event.is_told:
            level = max(level, LogLevel.warn, key=_LEVELS.index)
            kind, told = "unreported", _TOLD
        fields = {
            "sender": f"<{event.envelope.sender}>" if told else "",
            "recipient": f"<{event.recipient.address}>",
            "reply": "" if outcome.accepted else f"{outcome.code} {outcome.enhanced} {outcome.text}",
            "told": told,
            "detail": outcome.detail,
        }
        _emit(level, kind, None, fields, event.envelope.id)

    def appended(self, event: Appended) -> None:
        """Log ``appended``."""
        fields: Fields = {"mailbox": event.mailbox, "uid": event.uid, "size": event.size}
        _emit(LogLevel.info, "appended", event.client, fields)

    def refused(self, event: Refusal) -> None:
        """Log ``refused``, ``deferred`` if the client is asked to try again; or ``failed``."""
        client = event.client
        if event.envelope is not None:
            if not self._may_log(client):
                return
            message = (client, event.envelope, event.outcomes, event.size, event.message_id)
            _log_message(Accepted(*message), time(), event)
        elif event.command and client.protocol in _IN_WORDS:
            # Most refusals are the client's everyday business, such as a mailbox that does not exist.
            if event.detail and self._may_log(client):
                fields = {"command": event.command, "reply": event.reply, "detail": event.detail}
                _emit(_level_of(event.is_fault), "failed", client, fields)
        elif self._may_log(client):
            fields = {"command": event.command}
            if event.sender is not None:
                fields["sender"] = f"<{event.sender}>"
            if event.recipient is not None:
                fields["recipient"] = f"<{event.recipient}>"
            fields |= {"reply": event.reply, "detail": event.detail}
            kind = "refused" if not event.code else _kind(event.code)
            _emit(_level(event.enhanced), kind, client, fields)

    def stalled(self, event: Stalled) -> None:
        """Log ``stalled``, once a minute for each protocol and command."""
        now = self._seconds()
        kind = (event.client.protocol, event.command)
        self._tell_unlogged(now)
        if not self._stalls.may_write(kind, now):
            return
        fields: Fields = {
            "command": event.command,
            "ms": round(event.seconds * 1000),
            "cpu_ms": f"{event.cpu_seconds * 1000:.0f}",
        }
        _emit(LogLevel.warn, "stalled", event.client, fields)

    def expanded(self, event: Expanded) -> None:
        """Log ``expanded`` for an alias."""
        to = _list(event.addresses)
        fields: Fields = {"recipient": f"<{event.recipient}>", "number": len(event.addresses), "to": to}
        _emit(LogLevel.info, "expanded", None, fields, event.id)

    def relayed(self, event: Relayed) -> None:
        """Log ``sent``, ``delayed`` or ``given-up`` for one recipient of a message on the queue."""
        outcome, state = event.outcome, event.state
        fields: Fields = {
            "sender": f"<{event.sender}>",
            "recipient": f"<{event.recipient}>",
            "host": event.host,
            "address": event.address,
            "tls": event.tls,
            "reply": f"{outcome.code} {outcome.enhanced} {outcome.text}",
            "delay": round(event.seconds, 3),
            "attempt": event.attempt,
            "next": _time(event.due),
            "detail": outcome.detail,
        }
        is_theirs = event.host and outcome.enhanced.startswith("4.3.")  # then it is no fault of this server
        level = LogLevel.info if is_theirs else _level(outcome.enhanced)
        _emit(level, _RELAYED[state], None, fields, event.id)

    def reported(self, event: Reported) -> None:
        """Log ``reported``."""
        fields: Fields = {"report": event.report, "recipient": f"<{event.recipient}>"}
        _emit(LogLevel.info, "reported", None, fields, event.id)

    def unreached(self, event: Unreached) -> None:
        """Log ``unreached``, with the level warning."""
        outcome = event.outcome
        fields: Fields = {
            "destination": event.destination,
            "host": event.host,
            "reply": f"{outcome.code} {outcome.enhanced} {outcome.text}",
            "failures": event.failures,
            "next": _time(event.due),
            "detail": outcome.detail,
        }
        _emit(LogLevel.warn, "unreached", None, fields)

    def turned_away(self, event: TurnedAway) -> None:
        """Log ``turned-away``."""
        if self._has_room(event.client):
            _emit(LogLevel.warn, "turned-away", event.client, {"reason": event.reason})

    def signed_in(self, event: SignedIn) -> None:
        """Log ``signed-in``."""
        fields = {"account": event.account, "mechanism": event.mechanism}
        _emit(LogLevel.info, "signed-in", event.client, fields)

    def sign_in_refused(self, event: SignInRefused) -> None:
        """Log ``sign-in-failed``."""
        if not self._may_log(event.client):
            return
        error = event.error
        fields = {"mechanism": event.mechanism, "name": event.name, "detail": error.detail or error.text}
        _emit(_level_of(isinstance(error, Unavailable)), "sign-in-failed", event.client, fields)

    def disconnected(self, event: Disconnected) -> None:
        """Log ``ended``; its level is debug if no account signed in, and all counts are 0."""
        counted = {name: number for name, number in event.counts.items() if number}
        refusals = _refusals(event.client)
        if refusals.number:
            counted["refused"] = refusals.number
        if refusals.unlogged:
            counted["unlogged"] = refusals.unlogged
        level = LogLevel.info if counted or event.client.account else LogLevel.debug
        is_stranger = counted and counted.keys() <= _REFUSED and not event.client.account
        if is_stranger and not self._has_room(event.client):
            return
        fields: Fields = {"reason": event.reason, "seconds": round(event.seconds, 1), **counted}
        _emit(level, "ended", event.client, fields)

    def _may_log(self, client: Client) -> bool:
        """Count a refusal; returns whether to log it."""
        refusals = _refusals(client)
        refusals.number += 1
        if not refusals.left or not self._has_room(client):
            refusals.unlogged += 1
            return False
        refusals.left -= 1
        return True

    def _has_room(self, client: Client) -> bool:
        """Count a line about a client that got nothing done; returns whether to write it."""
        network = client.network
        now = self._seconds()
        self._tell_unlogged(now)
        return not network or self._refusals.may_write(network, now)

    def _tell_unlogged(self, now: float) -> None:
        """Log ``unlogged`` for what was left out, once its minute is over."""
        for network, lines in self._refusals.over(now):
            _emit(LogLevel.warn, "unlogged", None, {"network": network, "lines": lines})
        for (protocol, command), lines in self._stalls.over(now):
            fields: Fields = {"protocol": protocol, "command": command, "lines": lines}
            _emit(LogLevel.warn, "unlogged", None, fields)


_ALONE = Observers([MailLog()])


def observer_of(session: object) -> IObserver:
    """Who is told of a session's events: its ``observer``; the mail log alone if it has none."""
    observer: IObserver = getattr(session, "observer", _ALONE)
    return observer


# -- events of taken messages wait for each other

_waiting: list[Accepted] = []
_times: list[float] = []


def _emit_waiting() -> None:
    waiting, times = _waiting.copy(), _times.copy()
    _waiting.clear()
    _times.clear()
    for event, at in zip(waiting, times, strict=True):
        _log_message(event, at)


def _emit(level: Any, kind: str, client: Client | None, fields: Fields, id: str = "") -> None:
    if _waiting:
        _emit_waiting()
    emit(level, kind, client, fields, id)


# -- lines


def _time(seconds: float) -> str:
    """A time in UTC, as RFC 3339 writes it; "" for none."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z") if seconds else ""


def _log_message(message: Accepted, at: float, refusal: Refusal | None = None) -> None:
    client, envelope, outcomes, size, message_id, _ = message
    recipients = envelope.recipients
    number = len(recipients)
    sender = f"<{envelope.sender}>"
    recipient = f"<{recipients[0].address}>" if number == 1 else _list([each.address for each in recipients])
    detail = outcomes[0].detail if number == 1 else ""
    if (
        refusal is None
        and number == 1
        and emit_taken(client, envelope.id, sender, recipient, size, message_id, detail, at)
    ):
        return
    fields: dict[str, str | int | float]
    fields = {"sender": sender, "recipients": number, "recipient": recipient, "size": size}
    fields["message_id"] = message_id
    kind, level = "taken", LogLevel.info
    if refusal is not None:
        kind, level = _kind(refusal.code), _level(refusal.enhanced)
        fields["reply"] = refusal.reply
        if _waiting:
            _emit_waiting()
    fields["detail"] = detail
    emit(level, kind, client, fields, envelope.id, at)


def _list(addresses: Sequence[Address]) -> str:
    listed = [f"<{address}>" for address in addresses[:_MAX_LISTED]]
    return ",".join([*listed, "..."] if len(addresses) > _MAX_LISTED else listed)


def _kind(code: int) -> str:
    return "deferred" if code < 500 else "refused"


def _level(enhanced: str) -> Any:
    """Error if the server failed, rather than the message (RFC 3463 3.4: X.3.X); warning if another server
    could not be reached (3.5: X.4.X)."""
    return _SPECIAL_LEVELS.get(enhanced[:4], LogLevel.info)


_SPECIAL_LEVELS: Final[Mapping[str, Any]] = {"4.3.": LogLevel.error, "4.4.": LogLevel.warn}


def _level_of(is_fault: bool) -> Any:
    return LogLevel.error if is_fault else LogLevel.info


def _refusals(client: Client) -> _Refusals:
    refusals = client.notes.get(_REFUSALS)
    if refusals is None:
        refusals = client.notes[_REFUSALS] = _Refusals()
    return cast(_Refusals, refusals)
