"""One mail transaction, from MAIL to the answer to its content (RFC 5321 3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mailproto.client.errors import ClientError, ConnectionLost, ProtocolViolation, ServiceClosing
from mailproto.model import Outcome
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._outcomes import UNCERTAIN, outcome_of
from mailproto.smtp.client._plan import Selection
from mailproto.smtp.wire import Reply

if TYPE_CHECKING:
    from mailproto.smtp.client._session import SMTPSession

__all__ = ["END_OF_DATA", "Transaction"]


END_OF_DATA = "the end of data"


class Transaction(ABC):
    """Sends a message to some of its recipients.

    With PIPELINING, MAIL, all RCPTs and what may follow them are sent in one write.  Without it, each
    command waits for the reply to the one before.  Subclasses send the content.
    """

    __slots__ = (
        "_accepted",
        "_is_content_begun",
        "_is_sending",
        "_is_sent",
        "_mail",
        "_recipients",
        "_refusal",
        "_rendered",
        "_replies",
        "_session",
        "message",
    )

    def __init__(self, session: SMTPSession, message: Message, selection: Selection) -> None:
        self._session = session
        self.message = message
        self._mail = selection.mail
        self._recipients = selection.recipients
        self._rendered = selection.commands
        self._replies = 0  # how many replies to RCPT have come
        self._accepted: list[int] = []  # accepted recipients that have no outcome yet
        self._refusal: Outcome | None = None  # a refusal of MAIL, DATA or a chunk: for all recipients
        self._is_content_begun = False
        self._is_sending = False  # whether the content is being sent, or was
        self._is_sent = False  # whether the content was sent to its end

    # -- for subclasses

    @abstractmethod
    def _pipeline_content(self, group: list[bytes]) -> None:
        """Add the commands that may be sent before the replies to RCPT."""

    @abstractmethod
    def _begin_content(self) -> None:
        """Send the content, or DATA; called after a recipient was accepted."""

    # -- MAIL and RCPT

    def begin(self) -> None:
        """Send all that can be sent now."""
        session = self._session
        if session.has_transaction:
            # The transaction before was given up; MAIL inside of it would be refused.
            session.ask("RSET", self._on_rset, session.timeouts.command)
            session.write(b"RSET\r\n")
            if not session.pipelines:
                return
        self._send_mail()

    def _on_rset(self, reply: Reply) -> None:
        session = self._session
        if reply.code >= 400:
            session.fail(ProtocolViolation(f"The server refused RSET with {reply}"))
        elif not session.pipelines:
            self._send_mail()

    def _send_mail(self) -> None:
        session, timeouts = self._session, self._session.timeouts
        session.has_transaction = False
        session.transactions += 1
        session.ask("MAIL", self._on_mail, timeouts.mail)
        if not session.pipelines:
            session.write(self._mail)
            return
        group = [self._mail, *self._rendered]
        for _ in self._rendered:
            session.ask("RCPT", self._on_rcpt, timeouts.recipient)
        self._pipeline_content(group)
        session.write(b"".join(group))

    def _on_mail(self, reply: Reply) -> None:
        self.message.is_answered = True
        if reply.code < 400:
            self._session.has_transaction = True
        else:
            self._refusal = self.message.refusal = reply.outcome()
        if not self._session.pipelines:
            self._next_command()

    def _on_rcpt(self, reply: Reply) -> None:
        index = self._recipients[self._replies]
        self._replies += 1
        if self._refusal is None:
            if reply.code < 400:
                self._accepted.append(index)
            else:
                self._refuse_recipient(index, reply)
        if not self._session.pipelines:
            self._next_command()
        elif self._replies == len(self._recipients) and not self._is_content_begun:
            self._after_recipients()

    def _refuse_recipient(self, index: int, reply: Reply) -> None:
        outcome = reply.outcome()
        if outcome.code == 552:
            # RFC 821 used 552 for too many recipients; RFC 5321 4.5.3.1.10 says to take it as 452.
            enhanced = f"4{reply.enhanced[1:]}" if reply.enhanced else "4.5.3"
            outcome = Outcome(452, enhanced, outcome.text)
        # After "too many recipients", this one is tried in the next transaction (4.5.3.1.10).  An
        # enhanced code about an address or a mailbox has another meaning.
        is_too_many = outcome.code == 452 and outcome.enhanced[:4] not in ("4.1.", "4.2.")
        if not (is_too_many and self._accepted):
            self.message.outcomes[index] = outcome

    def _next_command(self) -> None:
        """Send the next command, for servers that do not offer PIPELINING."""
        session = self._session
        if self._refusal is None and self._replies < len(self._rendered):
            session.ask("RCPT", self._on_rcpt, session.timeouts.recipient)
            session.write(self._rendered[self._replies])
        else:
            self._after_recipients()

    def _after_recipients(self) -> None:
        if self._refusal is None and self._accepted:
            self._is_content_begun = True
            self._begin_content()
        else:
            self._finish()

    # -- the end

    def _on_final(self, reply: Reply) -> None:
        """Take a reply to the whole content: for all recipients, or in LMTP for one (RFC 2033 4.2)."""
        session, accepted, outcomes = self._session, self._accepted, self.message.outcomes
        if not accepted or self._refusal is not None:
            self._finish()
            return
        if reply.code < 400:
            session.has_transaction = False
        outcome = reply.outcome()
        if session.answers_each:
            outcomes[accepted.pop(0)] = outcome
            if accepted:
                session.connection.expect_next(END_OF_DATA, self._on_final, session.timeouts.final)
                return
        for index in accepted:
            outcomes[index] = outcome
        session.transaction_done(self)

    def _finish(self) -> None:
        """End the transaction: all replies have come."""
        self._apply_refusal()
        self._session.transaction_done(self)

    def _apply_refusal(self) -> None:
        """Give the refusal to the recipients that have no outcome."""
        message = self.message
        if self._refusal is not None:
            if not self._accepted:
                message.settle(self._refusal)
            for index in self._accepted:
                message.outcomes[index] = self._refusal

    def fail(self, error: ClientError, *, is_next: bool) -> None:
        """The connection is lost.

        :param is_next: whether the server's next reply would have been for this transaction.  A 421 is
            that reply then, and so is a reply that is not valid.
        """
        self._apply_refusal()
        if is_next and isinstance(error, ProtocolViolation) and error.reply is not None:
            self.message.is_answered = True
        message = self.message
        concerned = unknown = self._accepted + self._recipients[self._replies :]
        if not self._is_sent:
            unknown = []
        elif is_next and isinstance(error, ServiceClosing):
            # In LMTP it is the reply for one recipient, and says nothing about those after it.
            unknown = self._accepted[1:] if self._session.answers_each else []
        for index in unknown:
            message.is_answered = True  # it may have been
            if message.outcomes[index] is None:
                message.outcomes[index] = UNCERTAIN
        if self._is_sending:
            for index in concerned:
                if message.outcomes[index] is None:
                    message.outcomes[index] = outcome_of(error)
        message.fail(error)

    def withdraw(self) -> bool:
        """Stop before the content is sent; False if it is too late."""
        self.message.is_withdrawn = not self._is_sending
        return self.message.is_withdrawn

    def _may_send(self) -> bool:
        """Whether the content is still to be sent; if not, close the connection, as there is no other way."""
        if self.message.is_withdrawn:
            self._session.fail(ConnectionLost("The message was withdrawn"))
            return False
        self._is_sending = True
        return True

    def answered_early(self, reply: Reply) -> bool:
        """Take a reply that came before the end of the content; a refusal is final.

        :returns: False if no content is being sent.
        """
        if not (self._accepted and self._is_content_begun):
            return False
        if reply.code >= 400:
            self._refusal = reply.outcome()
            self.message.settle(self._refusal)
        return True

    def _cannot_read(self, error: Exception) -> None:
        """Close the connection: anything else would look like the end of the content to the server."""
        self._session.fail(ConnectionLost(f"The message cannot be read: {error}"))
