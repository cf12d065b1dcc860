"""LMTP: SMTP's grammar, with an answer for each recipient (RFC 2033)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mailproto.model import Envelope, Outcome
from mailproto.smtp.server._factory import SMTPServerFactory
from mailproto.smtp.server._server import SMTPServer
from mailproto.smtp.wire import render_reply

__all__ = ["LMTPServer", "LMTPServerFactory"]


class LMTPServer(SMTPServer):
    """One client of an `LMTPServerFactory`."""

    alpn: ClassVar[Sequence[bytes]] = ()
    greetings: ClassVar[Mapping[str, str]] = {"LHLO": "LMTP"}

    def answer_content(self, envelope: Envelope, outcomes: Sequence[Outcome], answer: Outcome | None) -> None:
        """One reply for each accepted RCPT, in order, duplicates too (RFC 2033 4.2)."""
        for outcome in outcomes:
            text = f"{outcome.text} ({envelope.id})" if outcome.accepted else outcome.text
            self.write(render_reply(outcome.code, outcome.enhanced, text))
        for outcome in outcomes:
            if outcome.code == 421:
                self.end(reason=outcome.text)

    def no_recipients(self, *, last: bool) -> bytes:
        """As many replies as there are recipients behind the last chunk, too (RFC 2033 4.3).

        Such an end is one all the same: nothing tells the client that the transaction goes on.
        """
        if not last:
            return super().no_recipients(last=last)
        self.forget_transaction()
        return b""


class LMTPServerFactory(SMTPServerFactory):
    """Serves LMTP to a delivery; parameters as of `SMTPServerFactory`.

    LMTP has no queue behind it and is not for port 25 (RFC 2033 5).
    """

    protocol_class: ClassVar[type[SMTPServer]] = LMTPServer
    greeting = "LMTP mailproto"
    faces_internet = False
    service_name = "lmtp"
