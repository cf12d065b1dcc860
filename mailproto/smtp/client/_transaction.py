"""One mail transaction, from MAIL to the answer to its content (RFC 5321 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailproto.content import CHUNK, FileContent
from mailproto.model import Outcome
from mailproto.smtp.client._errors import ConnectionLost, ProtocolViolation, ServiceClosing, SMTPClientError
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._pieces import bdat_chunks, data_pieces
from mailproto.smtp.client._plan import Body, Plan, Unsendable, plan
from mailproto.smtp.wire import Reply

if TYPE_CHECKING:
    from mailproto.smtp.client._client import SMTPClient

__all__ = ["UNCERTAIN", "Transaction"]

UNCERTAIN = Outcome(
    451, "4.4.2", "Connection lost before the message was answered: it may have been delivered"
)
"""Of a message whose end was sent and whose answer never came: sending it again may double it."""


class Transaction:
    """Sends a message to those of its recipients that have no outcome yet.

    With PIPELINING, MAIL, all RCPTs and DATA (or a BDAT that is small) are one write, and
    the next transaction's follow the content at once (RFC 2920 3.1); without, each command
    waits for the answer to the one before.
    """

    __slots__ = (
        "_accepted",
        "_body",
        "_client",
        "_is_sent",
        "_mail",
        "_mail_accepted",
        "_outstanding",
        "_refusal",
        "_rendered",
        "_replies",
        "_todo",
        "message",
    )

    def __init__(self, client: SMTPClient, message: Message) -> None:
        self._client = client
        self.message = message
        self._todo: list[int] = []  # this transaction's recipients, by their place in the message
        self._mail = b""
        self._rendered: list[bytes] = []  # the RCPT of each
        self._replies = 0  # to those
        self._accepted: list[int] = []
        self._mail_accepted = False
        self._refusal: Outcome | None = None  # of MAIL, DATA or a chunk: everybody's
        self._body = Body.DATA
        self._outstanding = 0  # answers to chunks
        self._is_sent = False  # the content, to its end

    # -- MAIL and RCPT

    def prepare(self) -> bool:
        """Decide what will be said; False if nothing need be, because everybody has an outcome."""
        client, message = self._client, self.message
        try:
            made = plan(
                message.sender,
                message.recipients,
                message.content,
                message.parameters,
                client.capabilities,
                is_encrypted=client.is_encrypted,
            )
        except Unsendable as error:
            message.settle(error.outcome)
        except OSError as error:
            message.settle(Outcome(451, "4.3.0", f"The message cannot be read: {error.strerror}"))
        else:
            self._choose(made)
        return bool(self._todo)

    def begin(self) -> None:
        """Say what can be said at once."""
        client = self._client
        if client.has_transaction:
            # The last one was given up halfway; a MAIL inside it would be refused.
            client.expect(self._on_rset, client.timeouts.command)
            client.write(b"RSET\r\n")
            if not client.pipelines:
                return
        self._say_mail()

    def _on_rset(self, reply: Reply) -> None:
        client = self._client
        if reply.code >= 300:
            client.fail(ProtocolViolation("RSET was refused"))
        elif not client.pipelines:
            client.has_transaction = False
            self._say_mail()

    def _say_mail(self) -> None:
        client, timeouts = self._client, self._client.timeouts
        client.has_transaction = False
        client.expect(self._on_mail, timeouts.mail)
        if not client.pipelines:
            client.write(self._mail)
            return
        group = [self._mail, *self._rendered]
        for _ in self._rendered:
            client.expect(self._on_rcpt, timeouts.recipient)
        if self._body is Body.DATA:
            group.append(b"DATA\r\n")
            client.expect(self._on_data, timeouts.data)
        elif self._is_small:
            group.extend(self._chunks())
            self._is_sent = True
        client.write(b"".join(group))

    def _choose(self, made: Plan) -> None:
        """Take as many recipients as the server takes in one transaction (RFC 9422 4.2)."""
        outcomes = self.message.outcomes
        most = self._client.capabilities.max_recipients or len(outcomes)
        for index, command in enumerate(made.recipients):
            if outcomes[index] is not None:
                continue
            if isinstance(command, Outcome):
                outcomes[index] = command
            elif len(self._todo) < most:
                self._todo.append(index)
                self._rendered.append(command)
        self._mail, self._body = made.mail, made.body

    def _on_mail(self, reply: Reply) -> None:
        self.message.is_answered = True
        if not self._check(reply):
            return
        if reply.code < 400:
            self._mail_accepted = self._client.has_transaction = True
        else:
            self._refusal = reply.outcome()
        if not self._client.pipelines:
            self._next_command()

    def _on_rcpt(self, reply: Reply) -> None:
        if not self._check(reply):
            return
        index = self._todo[self._replies]
        self._replies += 1
        if self._refusal is None:
            if reply.code < 400:
                self._accepted.append(index)
            else:
                self._refuse_recipient(index, reply)
        if not self._client.pipelines:
            self._next_command()
        elif self._body is not Body.DATA and not self._is_sent and self._replies == len(self._todo):
            self._begin_chunks()

    def _refuse_recipient(self, index: int, reply: Reply) -> None:
        outcome = reply.outcome()
        if outcome.code == 552:
            # What RFC 821 had for too many recipients: RFC 5321 4.5.3.1.10 makes it 452.
            enhanced = f"4{reply.enhanced[1:]}" if reply.enhanced else "4.5.3"
            outcome = Outcome(452, enhanced, outcome.text)
        # One that was too many for this transaction is not for the next one.
        if not (self._accepted and reply.enhanced.endswith(".5.3") and outcome.code == 452):
            self.message.outcomes[index] = outcome

    def _next_command(self) -> None:
        """One at a time, for servers that do not offer PIPELINING."""
        client = self._client
        if self._refusal is not None:
            self._finish()
        elif self._replies < len(self._rendered):
            client.expect(self._on_rcpt, client.timeouts.recipient)
            client.write(self._rendered[self._replies])
        elif not self._accepted:
            self._finish()
        elif self._body is Body.DATA:
            client.expect(self._on_data, client.timeouts.data)
            client.write(b"DATA\r\n")
        else:
            self._begin_chunks()

    # -- the content by DATA

    def _on_data(self, reply: Reply) -> None:
        code = reply.code
        if code >= 400:
            if self._refusal is None:
                self._refusal = reply.outcome()
            self._finish()
        elif code < 300:
            self._client.fail(ProtocolViolation(f"DATA was answered with {code}"))
        elif self._accepted:
            self._send_data()
        else:
            # A server that was sent DATA behind its refusals and still asks for content gets
            # none: the end of data alone (RFC 2920 3.1).
            self._client.expect(self._on_empty, self._client.timeouts.final)
            self._client.write(b".\r\n")

    def _send_data(self) -> None:
        client, content = self._client, self.message.content
        if isinstance(content, FileContent) or not self._is_small:
            client.stream(data_pieces(content), self._data_sent, client.timeouts.block)
        else:
            client.write(b"".join(data_pieces(content)))
            self._data_sent(None)

    def _data_sent(self, error: Exception | None) -> None:
        client = self._client
        if error is not None:
            # Only the connection's end tells the server that this is not the end of data.
            client.fail(ConnectionLost(f"The message cannot be read: {error}"))
            return
        self._is_sent = True
        client.has_transaction = False
        client.expect(self._on_final, client.timeouts.final)
        client.content_sent()

    def _on_empty(self, reply: Reply) -> None:
        self._client.has_transaction = False
        self._finish()

    # -- the content by BDAT

    @property
    def _is_small(self) -> bool:
        """Whether the content is sent in one piece."""
        return len(self.message.content) <= CHUNK

    def _begin_chunks(self) -> None:
        client = self._client
        if self._refusal is not None or not self._accepted:
            self._finish()
        else:
            client.stream(self._chunks(), self._chunks_sent, client.timeouts.block)

    def _chunks(self) -> Iterator[bytes]:
        """Each chunk, and the wish to know its answer."""
        client, timeouts = self._client, self._client.timeouts
        for chunk, is_last in bdat_chunks(self.message.content, is_text=self._body is Body.CHUNKS):
            self._outstanding += 1
            if is_last:
                client.expect(self._on_final, timeouts.final)
            else:
                client.expect(self._on_chunk, timeouts.block)
            yield chunk

    def _chunks_sent(self, error: Exception | None) -> None:
        if error is not None:
            self._client.fail(ConnectionLost(f"The message cannot be read: {error}"))
        else:
            self._is_sent = True

    def _on_chunk(self, reply: Reply) -> None:
        if not self._check(reply):
            return
        self._outstanding -= 1
        if reply.code >= 400 and self._refusal is None:
            self._refusal = reply.outcome()
            self._client.end_stream()
        if self._refusal is not None and not self._outstanding:
            self._finish()

    # -- the end

    def _on_final(self, reply: Reply) -> None:
        """The answer to the end of the content: everybody's, or in LMTP one recipient's (RFC 2033 4.2)."""
        if not self._check(reply):
            return
        client, accepted, outcomes = self._client, self._accepted, self.message.outcomes
        if not accepted or self._refusal is not None:
            self._finish()
            return
        if self._body is not Body.DATA and reply.code < 400:
            client.has_transaction = False
        outcome = reply.outcome()
        if client.answers_each:
            outcomes[accepted.pop(0)] = outcome
            if accepted:
                client.expect_next(self._on_final, client.timeouts.final)
                return
        for index in accepted:
            outcomes[index] = outcome
        client.transaction_done(self)

    def _finish(self) -> None:
        """Nothing more will be said: what refused everybody is the outcome of those that have none."""
        message = self.message
        if self._refusal is not None:
            if not self._accepted:
                message.settle(self._refusal)
            for index in self._accepted:
                message.outcomes[index] = self._refusal
        self._client.transaction_done(self)

    def fail(self, error: SMTPClientError, *, is_next: bool) -> None:
        """The connection is gone.

        :param is_next: whether it was this transaction that the server owed an answer, so that
            a 421 is that answer.
        """
        outcomes = self.message.outcomes
        if self._is_sent and not (is_next and isinstance(error, ServiceClosing)):
            for index in self._accepted:
                if outcomes[index] is None:
                    outcomes[index] = UNCERTAIN
        self.message.fail(error)

    def answered_early(self, reply: Reply) -> None:
        """The server did not wait for the end of the content; what it said is the answer."""
        if reply.code >= 400:
            self._refusal = reply.outcome()
            self.message.settle(self._refusal)

    def _check(self, reply: Reply) -> bool:
        """Whether a reply can be an answer; otherwise the connection is over."""
        if 300 <= reply.code < 400:
            self._client.fail(ProtocolViolation(f"Unexpected reply {reply.code}"))
            return False
        return True
