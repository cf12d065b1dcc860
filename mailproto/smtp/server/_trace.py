"""The Received field that every message gets (RFC 5321 4.4, RFC 3848, RFC 6531 4.3)."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from urllib.parse import quote

from mailproto.domains import ascii_domain
from mailproto.model import Address, Recipient, Session
from mailproto.smtp.wire import is_host

__all__ = ["TraceWriter", "count_received", "date_time", "lowered", "protocol_name", "shown_message_id"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


MAX_NAME = 320
"""The most characters of an account's name in a trace field: as many as an address may have."""

_MAX_HELLO = 255
"""The most octets of a client's name in EHLO."""

_PLAIN = "!#$&'*+,-./:@[]^_`{|}~"
"""These characters, letters and digits are not encoded in a comment with a client's name."""

_MAX_MESSAGE_ID = 1100
"""Octets in which the Message-ID is looked for; RFC 5322 2.1.1 allows a line of 998."""

_MESSAGE_ID = b"\nmessage-id"
_VALUE = re.compile(rb"[ \t]*:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)")
_RECEIVED = re.compile(rb"\nreceived[ \t]*:")
_SPECIAL = re.compile(r"[()\\]")


def date_time(timestamp: float) -> str:
    """An RFC 5322 3.3 date-time in UTC, whatever the locale, of seconds since the epoch."""
    at = time.gmtime(timestamp)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday} {_MONTHS[at.tm_mon - 1]} {at.tm_year} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
    )


def protocol_name(session: Session, *, utf8: bool = False) -> str:
    """The protocol after ``with``: S means TLS, A an authenticated client."""
    name = session.protocol
    if name == "SMTP":  # without EHLO there are no extensions to name
        return name
    if utf8:
        name = "UTF8LMTP" if name == "LMTP" else "UTF8SMTP"
    return name + ("S" if session.tls else "") + ("A" if session.account else "")


class TraceWriter:
    """Writes the Received fields of one session; their common parts are made once.

    :param name_account: whether to name the account that signed in.
    """

    __slots__ = ("_account", "_date", "_second", "_session", "_start")

    def __init__(self, session: Session, *, name_account: bool = False) -> None:
        self._session = session
        self._account = (session.account if name_account else None) or ""
        self._start = {utf8: self._make_start(utf8) for utf8 in (False, True)}
        self._second = -1
        self._date = ""

    def received(
        self, id: str, recipients: Sequence[Recipient], now: float, *, utf8: bool, priority: str = ""
    ) -> bytes:
        """Return a whole field.

        It names the recipient only if there is one, so that blind copies stay blind.

        :param now: in seconds since the epoch.
        :param priority: the message's priority; "" if it has none (RFC 6710 4.1).
        """
        second = int(now)
        if second != self._second:
            self._second, self._date = second, date_time(second)
        recipient = f"\r\n\tfor <{_for(recipients[0].address)}>" if len(recipients) == 1 else ""
        if priority:
            recipient += f"\r\n\tpriority {priority}"
        return f"{self._start[utf8]}{id}{recipient};\r\n\t{self._date}\r\n".encode()

    def _make_start(self, utf8: bool) -> str:
        session = self._session
        tls = f"\r\n\t({session.tls.version} {session.tls.cipher})" if session.tls else ""
        account = f"\r\n\t(authenticated as {_comment(self._account, utf8)})" if self._account else ""
        return (
            f"Received: from {_from(session)}\r\n"
            f"\tby {session.hostname} with {protocol_name(session, utf8=utf8)}{tls}{account}\r\n"
            f"\tid "
        )


def _from(session: Session) -> str:
    """Extended-Domain (RFC 5321 4.4): the client's name in EHLO, if it is a domain.

    Any other name becomes a comment, with percent-encoding as in a URL.
    """
    peer = _literal(session.peer) if session.peer else ""
    name = session.helo.removesuffix(".")
    if is_host(name):
        return f"{name} ({peer})" if peer else name
    escaped = quote(session.helo.encode(errors="replace")[:_MAX_HELLO], safe=_PLAIN)
    return f"{peer or 'unknown'} (helo={escaped})"


def _for(address: Address) -> str:
    """The address with A-labels, unless its local part makes the header international anyway."""
    text = str(address)
    if text.isascii() or not address.local.isascii():
        return text
    try:
        return str(Address(address.local, ascii_domain(address.domain)))
    except ValueError:
        return text


def _comment(text: str, utf8: bool) -> str:
    """An account's name without the characters that a comment may not have (RFC 5322 3.2.2)."""
    safe = "".join(c if c.isprintable() and (utf8 or c.isascii()) else "?" for c in text[:MAX_NAME])
    return _SPECIAL.sub(r"\\\g<0>", safe)


def _literal(address: str) -> str:
    """An address literal for an IP address (RFC 5321 4.1.3)."""
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def lowered(header: bytes) -> bytes:
    """A header section in lower case, after a newline, so that each field begins after one."""
    return (b"\n" + header).lower()


def shown_message_id(header: bytes, lower: bytes) -> str:
    """The Message-ID as in ``header``, for the log; "" if there is none.

    :param lower: `lowered` of ``header``.
    """
    at = lower.find(_MESSAGE_ID)
    if at < 0:
        return ""
    # In `lower` all offsets are greater by one, because of the newline at its beginning.
    start = at + len(_MESSAGE_ID) - 1
    value = header[start : header.find(b"\r\n", start)]
    if not value.startswith(b": <"):
        found = _VALUE.match(header[start : start + _MAX_MESSAGE_ID])
        return "" if found is None else found[1].decode(errors="replace").rstrip()
    return value[2:_MAX_MESSAGE_ID].decode(errors="replace").rstrip()


def count_received(lowered: bytes) -> int:
    """How many Received fields a header section has.

    :param lowered: the result of the function `lowered`.
    """
    return len(_RECEIVED.findall(lowered))
