"""Content sent with BDAT (RFC 3030 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailproto.smtp.client._message import Message
from mailproto.smtp.client._pieces import PIECE, bdat_chunks
from mailproto.smtp.client._selection import Selection
from mailproto.smtp.client._transaction import Transaction
from mailproto.smtp.wire import Reply

if TYPE_CHECKING:
    from mailproto.smtp.client._session import Session

__all__ = ["ChunkTransaction"]


class ChunkTransaction(Transaction):
    """One chunk, if it is all, comes behind the RCPTs unasked; more of them when somebody is accepted.

    In LMTP, BDAT LAST has as many answers as there are accepted recipients, none if there are
    none (RFC 2033 4.3), and nobody says how many behind a chunk that was refused.  So there it
    is sent only when everything before it was taken.
    """

    __slots__ = ("_held", "_outstanding")

    def __init__(self, client: Session, message: Message, selection: Selection) -> None:
        super().__init__(client, message, selection)
        self._outstanding = 0  # answers to chunks
        self._held = b""  # the last one, until the others are answered

    def _pipeline_content(self, group: list[bytes]) -> None:
        if len(self.message.content) <= PIECE and not self._client.answers_each:
            group.extend(self._chunks())
            self._is_content_begun = self._is_sending = self._is_sent = True

    def _begin_content(self) -> None:
        if self._may_send():
            self._client.stream(self._chunks(), self._chunks_sent, self._client.timeouts.block)

    def _chunks(self) -> Iterator[bytes]:
        """Each chunk; its answer is expected once it was written, and not before."""
        client = self._client
        for chunk, is_last in bdat_chunks(self.message.content, is_text=not self.message.octets.is_binary):
            if is_last and self._outstanding and client.answers_each:
                self._held = chunk
                return
            yield chunk
            self._outstanding += 1
            if is_last:
                client.ask("BDAT", self._on_final, client.timeouts.final)
            else:
                client.ask("BDAT", self._on_chunk, client.timeouts.block)

    def _chunks_sent(self, error: Exception | None) -> None:
        if error is not None:
            self._cannot_read(error)
        elif not self._held:
            self._is_sent = True

    def _on_chunk(self, reply: Reply) -> None:
        self._outstanding -= 1
        if reply.code >= 400 and self._refusal is None:
            self._refusal = reply.outcome()
            self._client.end_stream()
        if self._outstanding:
            return
        if self._refusal is not None:
            self._finish()
        elif self._held:
            self._is_sent = True
            self._client.ask("BDAT", self._on_final, self._client.timeouts.final)
            self._client.write(self._held)
