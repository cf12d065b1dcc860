"""How the messages of a queue look to an operator."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from mailproto.model import DestinationState, QueuedMessage, QueuedRecipient, QueueState

__all__ = [
    "Paused",
    "all_lines",
    "as_json",
    "counted",
    "in_octets",
    "iso",
    "short_lines",
    "when",
]

Paused: TypeAlias = Mapping[str, DestinationState]
"""The destinations that are paused, by their names."""


def counted(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}" + ("" if number == 1 else "s")


def in_octets(number: int) -> str:
    """A size, rounded."""
    size, unit = float(number), "octets"
    for larger in ("KB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{number} octets" if unit == "octets" else f"{size:.1f} {unit}"


def when(seconds: float | None) -> str:
    """Local time, as in twistd's log."""
    return "-" if not seconds else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")


def iso(seconds: float | None) -> str | None:
    """UTC, for programs."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None


def short_lines(message: QueuedMessage, paused: Paused) -> list[str]:
    """A message in ``list``: a line for it, and one for each recipient."""
    head = f"{message.id} {when(message.arrived)} {in_octets(message.size)} from <{message.envelope.sender}>"
    return [head, *(f"    <{each.recipient.address}> {_state(each, paused)}" for each in message.recipients)]


def _next_try(recipient: QueuedRecipient, paused: Paused) -> str:
    due = recipient.due
    if (state := paused.get(recipient.destination)) is not None:
        due = max(due, state.paused_until)
    return when(due) if due > time.time() else "now"


def _state(recipient: QueuedRecipient, paused: Paused) -> str:
    words = [recipient.state.value]
    if recipient.state is QueueState.WAITING:
        words.append(f"next try {_next_try(recipient, paused)}")
        if (state := paused.get(recipient.destination)) is not None:
            words.append(f"{state.destination} is paused: {state.reason}")
    if recipient.attempts:
        words.append(f"tried {counted(recipient.attempts, 'time')}")
    if recipient.outcome is not None:
        reply = f"{recipient.outcome.code} {recipient.outcome.enhanced} {recipient.outcome.text}"
        words.append(f"{recipient.host}: {reply}" if recipient.host else reply)
    return ", ".join(words)


def all_lines(message: QueuedMessage, paused: Paused) -> list[str]:
    """A message in ``show``: all that is known."""
    envelope = message.envelope
    account = f", account {envelope.session.account}" if envelope.session.account else ""
    lines = [
        f"message {message.id}, in the log: {envelope.id}",
        f"    from <{envelope.sender}>, by {envelope.session.peer or 'this server'}{account}",
        f"    {in_octets(message.size)}, arrived {when(message.arrived)}, given up {when(message.expires)}",
    ]
    if message.priority:
        lines.append(f"    priority {message.priority}")
    for recipient in message.recipients:
        lines += [
            f"    to <{recipient.recipient.address}>: {recipient.state.value}",
            f"        destination {recipient.destination}, {counted(recipient.attempts, 'attempt')}",
        ]
        if recipient.outcome is not None:
            outcome = recipient.outcome
            said = f"{outcome.code} {outcome.enhanced} {outcome.text}"
            if recipient.attempted is None:  # nothing was said to any server about it
                lines.append(f"        not tried, because: {said}")
            else:
                host = recipient.host or "this server"
                lines.append(f"        at {when(recipient.attempted)} {host} said: {said}")
            if outcome.detail:
                lines.append(f"        {outcome.detail}")
        if recipient.state is QueueState.WAITING:
            lines.append(f"        next try: {_next_try(recipient, paused)}")
            if (state := paused.get(recipient.destination)) is not None:
                lines.append(
                    f"        the destination is paused until {when(state.paused_until)}, after"
                    f" {counted(state.failures, 'failure')} in a row: {state.reason}"
                )
    return lines


def _paused_as_json(destination: str, paused: Paused) -> dict[str, Any] | None:
    if (state := paused.get(destination)) is None:
        return None
    return {"until": iso(state.paused_until), "failures": state.failures, "reason": state.reason}


def as_json(message: QueuedMessage, paused: Paused) -> str:
    """The same for programs, in one line."""
    envelope = message.envelope
    return json.dumps(
        {
            "id": message.id,
            "log_id": envelope.id,
            "sender": str(envelope.sender),
            "peer": envelope.session.peer,
            "account": envelope.session.account,
            "size": message.size,
            "arrived": iso(message.arrived),
            "expires": iso(message.expires),
            "priority": message.priority,
            "recipients": [
                {
                    "address": str(each.recipient.address),
                    "destination": each.destination,
                    "paused": _paused_as_json(each.destination, paused),
                    "state": each.state.value,
                    "due": iso(each.due),
                    "attempts": each.attempts,
                    "attempted": iso(each.attempted),
                    "host": each.host,
                    "reply": None
                    if each.outcome is None
                    else {
                        "code": each.outcome.code,
                        "enhanced": each.outcome.enhanced,
                        "text": each.outcome.text,
                        "detail": each.outcome.detail,
                    },
                }
                for each in message.recipients
            ],
        }
    )
