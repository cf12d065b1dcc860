"""DEFLATE (RFC 1951) on a connection, between its wire and TLS, in both directions.

Nothing is compressed or restored as a whole: input is restored in pieces, as the wire reads them, because
some octets may stand for a thousand times as many.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import Any, Final

__all__ = ["COMPRESSORS", "PIECE", "TRAILING", "Damaged", "Deflater", "Inflater"]

PIECE: Final = 1 << 15
"""Octets that are restored, or compressed, before others have their turn."""

COMPRESSORS: Final = 128
"""How many connections of a process have what zlib needs to compress, 128 KiB each.

One that sends again after many others have sent begins with an empty memory of what it has sent."""

TRAILING: Final = 16
"""Octets of a stream that may follow all that is restored: the rest of a flush, and an empty block."""

_LEVEL: Final = 4
_WINDOW: Final = 14
_MEMORY: Final = 7  # with this window, 64 KiB and 64 KiB


class Damaged(Exception):
    """What was received is not DEFLATE."""


class Deflater:
    """Compresses what is sent.  After each batch, everything can be restored that was in it.

    :ivar is_last: whether the next batch is the last one, which ends the stream.
    """

    __slots__ = ("__weakref__", "is_last")

    _used: OrderedDict[Deflater, Any] = OrderedDict()
    """Those that were used last, with their compressors; the latest is the last."""

    def __init__(self) -> None:
        self.is_last = False

    def compress(self, data: bytes) -> bytes:
        """Compress a batch."""
        used = self._used
        compressor = used.pop(self, None)
        if compressor is None:
            # After a flush, a stream of raw DEFLATE may go on with a new compressor.
            compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW, _MEMORY)
        if self.is_last:
            last: bytes = compressor.compress(data) + compressor.flush(zlib.Z_FINISH)
            return last
        used[self] = compressor
        if len(used) > COMPRESSORS:
            used.popitem(last=False)
        compressed: bytes = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
        return compressed

    def close(self) -> bytes:
        """Nothing more is compressed; return the end of the stream."""
        compressor = self._used.pop(self, None)
        end: bytes = b"\x03\0" if compressor is None else compressor.flush(zlib.Z_FINISH)  # an empty block
        return end


class Inflater:
    """Restores what is received, which takes 40 KiB.

    :ivar pending: octets that are not restored yet.
    """

    __slots__ = ("_has_more", "_inflate", "_trailing", "_waiting")

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(-15)
        self._waiting = b""
        self._trailing = 0  # octets that came after all that was restored
        self._has_more = False  # whether zlib has output that did not fit

    @property
    def pending(self) -> int:
        """Octets that were received and are not restored yet."""
        return len(self._waiting) + self._has_more

    def receive(self, data: bytes) -> None:
        """Take octets."""
        self._waiting += data

    def take_pending(self) -> bytes:
        """Remove and return what was received after the end of the stream, or is not restored."""
        waiting, self._waiting = self._waiting, b""
        return waiting

    def restore(self) -> bytes:
        """Restore at most `PIECE` octets; none if more must be received before.

        :raises Damaged: the octets are not DEFLATE, or go on after its end.
        """
        if not self.pending:
            return b""
        if self._inflate.eof:
            raise Damaged
        try:
            restored = self._inflate.decompress(self._waiting, PIECE)
        except zlib.error:
            raise Damaged from None
        self._waiting = self._inflate.unconsumed_tail or self._inflate.unused_data
        self._has_more = len(restored) == PIECE and not self._inflate.eof
        return restored

    def after_end(self, data: bytes, plain: bytes) -> bytes:
        """The octets that are not compressed, of those that come when the other side compresses no more.

        Some octets may be left of the flush before, and some programs write an empty block as the end.

        :param plain: the octets with which what is not compressed may begin.
        :raises Damaged: there is something else.
        """
        while data and not self._inflate.eof and data[0] not in plain:
            self._trailing += 1
            if self._trailing > TRAILING:
                raise Damaged
            try:
                self._inflate.decompress(data[:1], PIECE)
            except zlib.error:
                raise Damaged from None
            data = data[1:]
        return data
