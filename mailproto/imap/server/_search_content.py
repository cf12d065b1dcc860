"""Conditions on the content of a message: header fields, sent dates and texts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Literal

from mailproto.imap.server._conditions import Content, Cost
from mailproto.imap.server._search_message import Message
from mailproto.message import Steps, search_key
from mailproto.model import InAddresses, InField, InText, SentOn

__all__ = ["in_addresses", "in_header", "in_text", "sent"]

_words = re.compile(r"[^\s\x00]+").findall
_atoms = re.compile(r"[A-Z0-9!#$%&'*+\-/=?^_`{|}~]+").findall


def in_header(name: str, value: str) -> Content:
    """HEADER and SUBJECT: a field of that name contains the value."""
    octets, mapped = name.encode("utf-8"), search_key(value)
    # A text with white space may be folded in the header.
    word = _longest(_words, mapped)

    def answer(message: Message) -> Steps[bool]:
        if not message.may_contain(word):
            return False
        text = yield from message.text()
        return (yield from text.in_header_steps(octets, mapped))

    return Content(Cost.HEADER, answer, InField(name.lower(), mapped))


def in_addresses(name: str, value: str) -> Content:
    """FROM, TO, CC and BCC: a field of that name, or an address in it, contains the value."""
    octets, mapped = name.encode("utf-8"), search_key(value)
    # In the header, there may be comments and quotes between the parts of an address, and backslashes in
    # them.
    word = _longest(_atoms, mapped)

    def answer(message: Message) -> Steps[bool]:
        if not (message.may_contain(word) or message.may_contain(b"\\")):
            return False
        text = yield from message.text()
        return (yield from text.in_addresses_steps(octets, mapped))

    return Content(Cost.HEADER, answer, InAddresses(name.lower(), mapped))


def _longest(parts: Callable[[str], list[str]], mapped: str) -> bytes:
    """The longest part of a mapped text that a header with it has; b"", which all have, if none is known."""
    return max(parts(mapped), key=len, default="").encode("ascii") if mapped.isascii() else b""


def in_text(mapped: str, *, headers: bool) -> Content:
    """BODY, or TEXT if ``headers``: the message contains the mapped text."""

    def answer(message: Message) -> Steps[bool]:
        text = yield from message.text()
        return (yield from (text.in_text_steps if headers else text.in_body_steps)(mapped))

    return Content(Cost.BODY, answer, InText(mapped, headers))


def sent(op: Literal["BEFORE", "ON", "SINCE"], wanted: datetime.date) -> Content:
    """SENTBEFORE, SENTON and SENTSINCE: the day in the Date field, whatever its time and zone."""

    def answer(message: Message) -> Steps[bool]:
        text = yield from message.text()
        date = text.sent()
        yield
        if date is None:
            return False
        day = date.date()
        if op == "BEFORE":
            return day < wanted
        return day == wanted if op == "ON" else day >= wanted

    return Content(Cost.HEADER, answer, SentOn(op, wanted))
