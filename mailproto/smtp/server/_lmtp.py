"""LMTP: SMTP's grammar, with a reply for each recipient (RFC 2033)."""

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
    answers_each: ClassVar[bool] = True

    def answer_content(self, envelope: Envelope, outcomes: Sequence[Outcome], answer: Outcome | None) -> None:
        """One reply for each accepted RCPT, in order, duplicates too (RFC 2033 4.2)."""
        for outcome in outcomes:
            text = f"{outcome.text} ({envelope.id})" if outcome.accepted else outcome.text
            self.write(render_reply(outcome.code, outcome.enhanced, text))
        for outcome in outcomes:
            if outcome.code == 421:
                self.end(reason=outcome.text)

    def no_recipients(self, *, last: bool) -> bytes:
        """The last chunk has one reply for each recipient: here none (RFC 2033 4.3).

        The transaction ends then, because no reply tells the client that it goes on.
        """
        if not last:
            return super().no_recipients(last=last)
        self.forget_transaction()
        return b""


class LMTPServerFactory(SMTPServerFactory):
    """Serves LMTP, and gives mail to a delivery; its parameters are those of `SMTPServerFactory`.

    LMTP servers have no queue, and must not use port 25 (RFC 2033 5).
    """

    protocol_class: type[SMTPServer] = LMTPServer
    greeting = "LMTP mailproto"
    faces_internet = False
    service_name = "lmtp"
