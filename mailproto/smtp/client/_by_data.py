"""Content sent with DATA (RFC 5321 4.1.1.4)."""

from __future__ import annotations

from mailproto.smtp.client._answers import END_OF_DATA
from mailproto.smtp.client._errors import ProtocolViolation
from mailproto.smtp.client._pieces import PIECE, data_pieces, whole_data
from mailproto.smtp.client._transaction import Transaction
from mailproto.smtp.wire import Reply

__all__ = ["DataTransaction"]


class DataTransaction(Transaction):
    """DATA comes behind the RCPTs unasked, and the next transaction behind the content (RFC 2920 3.1)."""

    __slots__ = ()

    def _pipeline_content(self, group: list[bytes]) -> None:
        group.append(b"DATA\r\n")
        self._is_content_begun = True
        self._client.ask("DATA", self._on_data, self._client.timeouts.data)

    def _begin_content(self) -> None:
        client = self._client
        client.ask("DATA", self._on_data, client.timeouts.data)
        client.write(b"DATA\r\n")

    def _on_data(self, reply: Reply) -> None:
        client = self._client
        if reply.code >= 400:
            # Where no recipient was accepted, it says nothing of those in another transaction.
            if self._refusal is None and self._accepted:
                self._refusal = reply.outcome()
            self._finish()
        elif self._accepted:
            self._send()
        elif client.answers_each:
            # As many answers as there are accepted recipients is none, but a server that has
            # not refused DATA (RFC 2033 4.2) may well give one: there is no staying in step.
            client.fail(ProtocolViolation("The server took DATA after it had refused every recipient"))
        else:
            # It was sent DATA behind its refusals and still asks for content: it gets none,
            # the end of data alone (RFC 2920 3.1).
            client.ask(END_OF_DATA, self._on_empty, client.timeouts.final)
            client.write(b".\r\n")

    def _send(self) -> None:
        if not self._may_send():
            return
        client, content = self._client, self.message.content
        if not isinstance(content, bytes) or len(content) > PIECE:
            client.stream(data_pieces(content), self._sent, client.timeouts.block)
            return
        is_canonical = self.message.octets.is_canonical
        client.write(whole_data(content) if is_canonical else b"".join(data_pieces(content)))
        self._sent(None)

    def _sent(self, error: Exception | None) -> None:
        client = self._client
        if error is not None:
            self._cannot_read(error)
            return
        self._is_sent = True
        client.has_transaction = False
        client.ask(END_OF_DATA, self._on_final, client.timeouts.final)
        client.content_sent()

    def _on_empty(self, reply: Reply) -> None:
        self._client.has_transaction = False
        self._finish()
