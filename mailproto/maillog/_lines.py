"""Writes the lines: fields in a fixed format, as events of ``twisted.logger``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import time
from typing import Any, Final, TypeAlias

from twisted.logger import Logger, LogLevel

from mailproto.observing import Client
from mailproto.printable import printable

__all__ = ["LINE", "MAX_VALUE", "NAMESPACE", "Fields", "emit", "emit_taken"]

NAMESPACE: Final = "mail"
"""The ``log_namespace`` of all events: Twisted's observers write ``[mail#info]`` before the text."""

LINE: Final = "{line}"
"""The ``log_format`` of all events: their text is formatted already."""

MAX_VALUE: Final = 500
"""The most characters of one value; a longer one is cut and ends in ``...``."""

_BARE: Final = re.compile(r'[^\s"\\]+')
"""Matches a value that needs no quotes."""

_log = Logger(NAMESPACE)

Fields: TypeAlias = Mapping[str, str | int | float]

_NOTHING: Final[Fields] = {}


class _Rendered:
    """The fields that all lines about a client have in common.

    :ivar text: the fields as text, each after a space.
    :ivar taken: an event of `emit_taken`, whose own values are still missing.
    """

    __slots__ = ("client", "fields", "taken", "text")

    def __init__(self, client: Client) -> None:
        given = {
            "peer": client.peer,
            "protocol": client.protocol,
            "helo": client.helo,
            "tls": client.tls,
            "account": client.account or "",
        }
        known = {name: value for name, value in given.items() if value}
        self.client = client
        self.fields: Fields = {name: printable(value, MAX_VALUE) for name, value in known.items()}
        self.text = _text(known)
        self.taken: dict[str, object] = {
            **self.fields,
            "kind": "taken",
            "line": "",
            "id": "",
            "sender": "",
            "recipients": 1,
            "recipient": "",
            "size": 0,
            "log_level": LogLevel.info,
            "log_namespace": NAMESPACE,
            "log_format": LINE,
            "log_logger": _log,
            "log_source": None,
            "log_time": 0.0,
        }


_RENDERED: Final = object()
"""The key of a connection's latest `_Rendered` in `Client.notes`."""


def emit(
    level: Any,
    kind: str,
    client: Client | None,
    fields: Fields,
    id: str = "",
    at: float | None = None,
) -> None:
    """Emit an event; values are quoted where necessary.

    :param fields: fields with the value "" are left out.
    :param at: the time of the event, in seconds since the epoch; None for now.
    """
    fields = {name: value for name, value in fields.items() if value != ""}
    text = "".join([f" {name}={value}" for name, value in fields.items()])
    # In most lines, nothing has to be escaped, and few values need quotes because of spaces.
    if not text.isprintable() or '"' in text or "\\" in text or len(text) > MAX_VALUE:
        text = _text(fields)
        fields = {name: _shown(value) for name, value in fields.items()}
    elif text.count(" ") != len(fields):
        text = "".join([f" {name}={_spaced(value)}" for name, value in fields.items()])
    shared, start = _NOTHING, ""
    if client is not None:
        rendered = _rendered(client)
        shared, start = rendered.fields, rendered.text
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


def emit_taken(
    client: Client,
    id: str,
    sender: str,
    recipient: str,
    size: int,
    message_id: str,
    detail: str,
    at: float,
) -> bool:
    """`emit` for the most frequent line, ``taken`` of one recipient, in half the time.

    :returns: False if a value needs quotes, and nothing was emitted.
    """
    text = f" sender={sender} recipients=1 recipient={recipient} size={size}"
    spaces = 4
    if message_id:
        text += f" message_id={message_id}"
        spaces = 5
    if detail:
        text += f" detail={detail}"
        spaces += 1
    is_plain = text.isprintable() and '"' not in text and "\\" not in text
    if not is_plain or text.count(" ") != spaces or len(text) > MAX_VALUE:
        return False
    rendered = client.notes.get(_RENDERED)
    if rendered is None or rendered.client is not client:
        rendered = _rendered(client)
    # To copy a dictionary and to change its values costs half of making one.
    event = rendered.taken.copy()
    event["line"] = f"taken id={id}{rendered.text}{text}"
    event["id"] = id
    event["sender"] = sender
    event["recipient"] = recipient
    event["size"] = size
    event["log_time"] = at
    if message_id:
        event["message_id"] = message_id
    if detail:
        event["detail"] = detail
    _log.observer(event)
    return True


def _rendered(client: Client) -> _Rendered:
    rendered: _Rendered | None = client.notes.get(_RENDERED)
    if rendered is None or rendered.client is not client:
        rendered = client.notes[_RENDERED] = _Rendered(client)
    return rendered


def _shown(value: str | int | float) -> str | int | float:
    return printable(value, MAX_VALUE) if isinstance(value, str) else value


def _text(fields: Fields) -> str:
    return "".join([f" {name}={_quoted(value)}" for name, value in fields.items()])


def _spaced(value: str | int | float) -> str | int | float:
    """`_quoted` for a value in which nothing has to be escaped."""
    return f'"{value}"' if isinstance(value, str) and " " in value else value


def _quoted(value: str | int | float) -> str | int | float:
    if not isinstance(value, str):
        return value
    # Cut first, because `printable` makes the text longer, and marks a cut.
    escaped = value[: MAX_VALUE + 1].replace("\\", "\\\\").replace('"', '\\"')
    shown = printable(escaped, MAX_VALUE)
    return shown if _BARE.fullmatch(shown) else f'"{shown}"'
