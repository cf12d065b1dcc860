"""A connection on which both sides may compress what they send."""

from __future__ import annotations

from typing import TypeVar

from mailproto.connection._compression import Damaged, Deflater, Inflater
from mailproto.connection._fairness import FairConnection
from mailproto.connection._wire import PlaintextWire
from mailproto.typing import ReactorTime

__all__ = ["CompressibleConnection"]

EventT = TypeVar("EventT")

_PLAIN = bytes(range(0x21, 0x7F))
"""With what a line of a client begins; no end of a compressed stream begins so."""


class CompressibleConnection(FairConnection[EventT]):
    """A connection whose octets may be compressed, inside TLS; what was restored goes to its wire.

    :ivar wire: makes events of what is received.
    """

    wire: PlaintextWire[EventT]

    def __init__(self, clock: ReactorTime) -> None:
        super().__init__(clock)
        self._inflater: Inflater | None = None
        self._ended: Inflater | None = None  # of a stream whose end may still come

    def damaged(self) -> None:
        """What was received cannot be restored (`begin_compression`)."""

    def begin_compression(self) -> None:
        """From now on, both sides compress (DEFLATE, RFC 1951), inside TLS.  What was written before is sent
        as it is; what was received after the running event is compressed.
        """
        self._send_now()
        self._deflater, self._inflater, self._ended = Deflater(), Inflater(), None
        if self.wire.pending:
            self._inflater.receive(self.wire.take_pending())

    def end_compression(self) -> None:
        """From now on, neither side compresses; what was written before is the last that is compressed."""
        deflater, inflater = self._deflater, self._inflater
        self._send_now()
        self._deflater = self._inflater = None
        if deflater is not None and inflater is not None:
            self.write(deflater.close())
            self._ended = inflater
            self._receive_after_end(inflater.take_pending())

    def _receive_after_end(self, data: bytes) -> None:
        """Take octets after `end_compression`: the end of what the client compressed may be among them."""
        ended = self._ended
        if ended is None or not data:
            self.wire.receive(data)
            return
        try:
            data = ended.after_end(data, _PLAIN)
        except Damaged:
            self.damaged()
            return
        if data:
            self._ended = None
            self.wire.receive(data)

    def _pending(self) -> int:
        """Octets that were received and are not handled."""
        return self.wire.pending + (0 if self._inflater is None else self._inflater.pending)

    def _restore(self, inflater: Inflater) -> bool:
        """Restore some octets; False if there are none."""
        try:
            octets = inflater.restore()
        except Damaged:
            self.damaged()
            return False
        if not octets:
            return False
        self.wire.receive(octets)
        return True
