"""Writing a report: multipart/report, with a text for people and one for programs (RFC 6522, RFC 3464)."""

from __future__ import annotations

import binascii
import re
import textwrap
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from mailproto.content import Octets
from mailproto.delivery._explanations import explanation, headline, subject
from mailproto.delivery._status import MAX_RETURNED, Action, RecipientStatus
from mailproto.message import date_text, fold, header_fields, message_id
from mailproto.model import Address, Envelope
from mailproto.printable import printable
from mailproto.smtp.wire import OriginalRecipient, is_canonical, is_host

__all__ = ["ReportWriter"]

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)
_WIDTH = 76
_LONGEST = 998
"""Octets of a line (RFC 5322 2.1.1)."""

_LONG_WORD = re.compile(r"\S{200}(?=\S)")
"""What is cut in a reply, which has few blanks or none: a line is folded only at blanks."""


class ReportWriter:
    """Writes one report.

    Text that is not ASCII is only in a report to a sender who has used SMTPUTF8 (RFC 6533): the types of
    parts are then those for international mail.  They are encoded, unless the report itself needs SMTPUTF8.

    :param statuses: at least one.
    :param now: the time of the report, in seconds since the epoch.

    :ivar needs_smtputf8: whether the report can only be sent with SMTPUTF8: its own recipient needs that.
    """

    def __init__(
        self,
        envelope: Envelope,
        statuses: Sequence[RecipientStatus],
        *,
        hostname: str,
        envelope_id: str | None,
        arrived: float | None,
        now: float,
    ) -> None:
        self._envelope = envelope
        self._statuses = statuses
        self._hostname = printable(hostname)
        self._envelope_id = envelope_id
        self._arrived = arrived
        self._now = now
        self.needs_smtputf8 = not str(envelope.sender).isascii()
        self._may_be_international = self.needs_smtputf8 or "SMTPUTF8" in envelope.parameters
        addresses = [str(status.recipient.address) for status in statuses]
        addresses += [status.original.address for status in statuses if status.original is not None]
        self._is_international = self._may_be_international and not "".join(addresses).isascii()

    def write(self, content: Octets | None, *, is_whole: bool) -> bytes:
        """The report.

        :param content: the message to return, or None.
        :param is_whole: whether all of it is returned if it is short enough, or only its header.
        """
        boundary = f"=_{uuid.uuid4().hex}"
        parts = [self._text(), self._status()]
        if content is not None:
            parts.append(self._returned(content, is_whole=is_whole))
        body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
        encoding = "7bit" if body.isascii() else "8bit"
        header = self._header(content, boundary, encoding)
        return header + body + b"--%b--\r\n" % boundary.encode()

    def _header(self, content: Octets | None, boundary: str, encoding: str) -> bytes:
        fields = [
            ("From", f"Mail Delivery System <postmaster@{self._hostname}>"),
            ("To", f"<{self._envelope.sender}>"),
            ("Subject", subject(self._statuses)),
            ("Date", _date(self._now)),
            ("Message-ID", f"<{uuid.uuid4().hex}@{self._hostname}>"),
            ("Auto-Submitted", "auto-replied"),  # RFC 3834 5
        ]
        if original := _message_id(content):
            fields += [("In-Reply-To", original), ("References", original)]
        kind = f'multipart/report; report-type={self._status_kind}; boundary="{boundary}"'
        fields += [("MIME-Version", "1.0"), ("Content-Type", kind), ("Content-Transfer-Encoding", encoding)]
        return _fields(fields) + b"\r\n"

    @property
    def _status_kind(self) -> str:
        return "global-delivery-status" if self._is_international else "delivery-status"

    # -- for people

    def _text(self) -> bytes:
        lines = [f"This is the mail server {self._hostname}.", ""]
        for action in Action:
            chosen = [status for status in self._statuses if status.action is action]
            if chosen:
                lines += [*textwrap.wrap(headline(action), _WIDTH), ""]
                lines += [line for status in chosen for line in self._paragraph(status)]
        lines.append(f"The server's name for your message is {printable(self._envelope.id)}.")
        text = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "backslashreplace")
        if text.isascii():
            return _part("text/plain; charset=us-ascii", text)
        return self._encoded("text/plain; charset=utf-8", text)

    def _paragraph(self, status: RecipientStatus) -> Iterator[str]:
        address, original = status.recipient.address, status.original
        yield f"<{printable(str(address))}>"
        if original is not None and original.address != str(address):
            yield f"    (you wrote to {printable(original.address)})"
        until = "" if status.retried_until is None else _date(status.retried_until)
        yield from _indented(explanation(status.action, status.outcome, until, status.remote))
        if status.action in (Action.FAILED, Action.DELAYED):
            said = "In detail"
            if status.remote:  # if the text names it, it is ours, about the attempt
                is_ours = status.is_ours or status.remote in status.outcome.text
                said = "The last attempt" if is_ours else f"{printable(status.remote)} said"
            yield from _indented(f"{said}: {_reply(status)}")
        yield ""

    # -- for programs

    def _status(self) -> bytes:
        session = self._envelope.session
        blocks = [[("Reporting-MTA", f"dns; {self._hostname}")]]
        if self._envelope_id:
            blocks[0].insert(0, ("Original-Envelope-Id", self._envelope_id))
        if is_host(session.helo):
            blocks[0].append(("Received-From-MTA", f"dns; {session.helo}"))
        if self._arrived is not None:
            blocks[0].append(("Arrival-Date", _date(self._arrived)))
        blocks += [self._recipient(status) for status in self._statuses]
        octets = b"\r\n".join(map(_fields, blocks))
        return self._encoded(f"message/{self._status_kind}", octets)

    def _recipient(self, status: RecipientStatus) -> list[tuple[str, str]]:
        fields = []
        if (original := status.original) is not None:
            fields.append(("Original-Recipient", self._typed(original)))
        fields += [
            ("Final-Recipient", self._final(status.recipient.address)),
            ("Action", status.action.value),
            ("Status", _enhanced(status)),
        ]
        if status.remote:
            fields.append(("Remote-MTA", f"dns; {printable(status.remote)}"))
        if status.action in (Action.FAILED, Action.DELAYED):
            reply = _reply(status)
            shown = reply if self._is_international else re.sub("[^ -~]", "?", reply)
            kind = "smtp" if status.remote and not status.is_ours else "X-mailproto"  # RFC 3464 2.3.6
            fields.append(("Diagnostic-Code", f"{kind}; {shown}"))
        if status.attempted is not None:
            fields.append(("Last-Attempt-Date", _date(status.attempted)))
        if status.action is Action.DELAYED and status.retried_until is not None:
            fields.append(("Will-Retry-Until", _date(status.retried_until)))
        return fields

    def _final(self, address: Address) -> str:
        text = str(address)
        return self._typed(OriginalRecipient("rfc822" if text.isascii() else "utf-8", text))

    def _typed(self, recipient: OriginalRecipient) -> str:
        """An address with its type (RFC 3464 2.1.2); in ASCII where it must be (RFC 6533 3)."""
        if recipient.address.isascii() or self._is_international:
            return f"{recipient.type};{recipient.address}"
        return str(recipient)

    # -- the original message

    def _returned(self, content: Octets, *, is_whole: bool) -> bytes:
        whole = bytes(content) if is_whole and len(content) <= MAX_RETURNED else b""
        if whole and is_canonical(whole) and b"\0" not in whole and not _has_long_lines(whole):
            header = _header_of(whole)
            if self._may_be_international and not header.isascii():
                return self._encoded("message/global", whole)
            return _part("message/rfc822", whole)
        header = _header_of(content).replace(b"\0", b"?")
        if not is_canonical(header):
            header = header.replace(b"\r", b"").replace(b"\n", b"\r\n")
        if self._may_be_international and not header.isascii():
            return self._encoded("message/global-headers", header)
        return self._encoded("text/rfc822-headers", header, is_text=True)

    def _encoded(self, kind: str, octets: bytes, *, is_text: bool = False) -> bytes:
        """A part that may be encoded: it is, unless it is ASCII, or the report is international itself.

        If it has lines that are too long, it is in any case.

        :param is_text: whether octets above 127 may stay.
        """
        if (is_text or octets.isascii() or self.needs_smtputf8) and not _has_long_lines(octets):
            return _part(kind, octets)
        encoded = binascii.b2a_qp(octets, istext=True)
        return _part(kind, encoded.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "quoted-printable")


def _part(kind: str, octets: bytes, encoding: str = "") -> bytes:
    encoding = encoding or ("7bit" if octets.isascii() else "8bit")
    return _fields([("Content-Type", kind), ("Content-Transfer-Encoding", encoding)]) + b"\r\n" + octets


def _has_long_lines(octets: bytes) -> bool:
    return len(octets) > _LONGEST and max(map(len, octets.split(b"\r\n"))) > _LONGEST


def _fields(fields: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(fold(name.encode(), value.encode("utf-8", "backslashreplace")) for name, value in fields)


def _header_of(content: Octets) -> bytes:
    """The header section without the empty line after it; its beginning, if it is too long."""
    end = content.find(b"\r\n\r\n", 0, MAX_RETURNED)
    if end >= 0:
        return content[: end + 2]
    beginning = content[:MAX_RETURNED]
    return beginning if len(beginning) == len(content) else beginning[: beginning.rfind(b"\n") + 1]


def _message_id(content: Octets | None) -> str:
    if content is not None:
        for field in header_fields(_header_of(content)):
            if field.name.lower() == b"message-id" and (found := message_id(field.value)):
                text = found.decode("ascii", "ignore")
                return f"<{text}>" if len(text) == len(found) < 500 else ""
    return ""


def _enhanced(status: RecipientStatus) -> str:
    outcome = status.outcome
    if _ENHANCED.fullmatch(outcome.enhanced):
        return outcome.enhanced
    return f"{outcome.code // 100}.0.0"


def _reply(status: RecipientStatus) -> str:
    text = _LONG_WORD.sub(r"\g<0> ", printable(" ".join(status.outcome.text.split())))
    return f"{status.outcome.code} {_enhanced(status)} {text}"


def _date(seconds: float) -> str:
    return date_text(datetime.fromtimestamp(int(seconds), UTC))


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")
