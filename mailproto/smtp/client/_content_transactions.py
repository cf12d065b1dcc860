"""The two ways to send a transaction's content: DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailproto.client.errors import ProtocolViolation
from mailproto.smtp.client._content import PIECE, bdat_chunks, data_pieces, whole_data
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._plan import Selection
from mailproto.smtp.client._transaction import END_OF_DATA, Transaction
from mailproto.smtp.wire import Reply

if TYPE_CHECKING:
    from mailproto.smtp.client._session import SMTPSession

__all__ = ["ChunkTransaction", "DataTransaction"]


class DataTransaction(Transaction):
    """DATA is sent together with the RCPTs, and the next transaction after the content (RFC 2920 3.1)."""

    __slots__ = ()

    def _pipeline_content(self, group: list[bytes]) -> None:
        group.append(b"DATA\r\n")
        self._is_content_begun = True
        self._session.ask("DATA", self._on_data, self._session.timeouts.data)

    def _begin_content(self) -> None:
        session = self._session
        session.ask("DATA", self._on_data, session.timeouts.data)
        session.write(b"DATA\r\n")

    def _on_data(self, reply: Reply) -> None:
        session = self._session
        if reply.code >= 400:
            # If no recipient was accepted, the refusal of DATA says nothing about the recipients of another
            # transaction.
            if self._refusal is None and self._accepted:
                self._refusal = reply.outcome()
            self._finish()
        elif self._accepted:
            self._send()
        elif session.answers_each:
            # With no accepted recipient there should be no reply.  But a server that has not refused
            # DATA (RFC 2033 4.2) may send one, so it is not known which replies follow.
            session.fail(ProtocolViolation("The server took DATA after it had refused every recipient"))
        else:
            # The server refused all recipients and still asks for content: it gets only the end of
            # data (RFC 2920 3.1).
            session.ask(END_OF_DATA, self._on_empty, session.timeouts.final)
            session.write(b".\r\n")

    def _send(self) -> None:
        if not self._may_send():
            return
        session, content = self._session, self.message.content
        if not isinstance(content, bytes) or len(content) > PIECE:
            session.connection.stream(data_pieces(content), self._sent, session.timeouts.block)
            return
        is_canonical = self.message.content_info.is_canonical
        session.write(whole_data(content) if is_canonical else b"".join(data_pieces(content)))
        self._sent(None)

    def _sent(self, error: Exception | None) -> None:
        session = self._session
        if error is not None:
            self._cannot_read(error)
            return
        self._is_sent = True
        session.has_transaction = False
        session.ask(END_OF_DATA, self._on_final, session.timeouts.final)
        session.content_sent()

    def _on_empty(self, reply: Reply) -> None:
        self._session.has_transaction = False
        self._finish()


class ChunkTransaction(Transaction):
    """A single chunk is sent together with the RCPTs; several are sent after a recipient was accepted.

    In LMTP, BDAT LAST has one reply for each accepted recipient (RFC 2033 4.3), and no RFC says how
    many there are after a refused chunk.  So in LMTP it is sent only after everything before it was
    taken.
    """

    __slots__ = ("_held", "_outstanding")

    def __init__(self, session: SMTPSession, message: Message, selection: Selection) -> None:
        super().__init__(session, message, selection)
        self._outstanding = 0  # how many replies to chunks are still to come
        self._held = b""  # the last chunk, until the others are answered

    def _pipeline_content(self, group: list[bytes]) -> None:
        if len(self.message.content) <= PIECE and not self._session.answers_each:
            group.extend(self._chunks())
            self._is_content_begun = self._is_sending = self._is_sent = True

    def _begin_content(self) -> None:
        if self._may_send():
            self._session.connection.stream(self._chunks(), self._chunks_sent, self._session.timeouts.block)

    def _chunks(self) -> Iterator[bytes]:
        """The chunks; the reply to each is expected only after the chunk was written."""
        session = self._session
        for chunk, is_last in bdat_chunks(
            self.message.content, is_text=not self.message.content_info.is_binary
        ):
            if is_last and self._outstanding and session.answers_each:
                self._held = chunk
                return
            yield chunk
            self._outstanding += 1
            if is_last:
                session.ask("BDAT", self._on_final, session.timeouts.final)
            else:
                session.ask("BDAT", self._on_chunk, session.timeouts.block)

    def _chunks_sent(self, error: Exception | None) -> None:
        if error is not None:
            self._cannot_read(error)
        elif not self._held:
            self._is_sent = True

    def _on_chunk(self, reply: Reply) -> None:
        self._outstanding -= 1
        if reply.code >= 400 and self._refusal is None:
            self._refusal = reply.outcome()
            self._session.connection.end_stream()
        if self._outstanding:
            return
        if self._refusal is not None:
            self._finish()
        elif self._held:
            self._is_sent = True
            self._session.ask("BDAT", self._on_final, self._session.timeouts.final)
            self._session.write(self._held)
