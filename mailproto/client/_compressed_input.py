"""What a client receives, while the server compresses it, and before and after."""

from __future__ import annotations

from typing import Any

from mailproto.connection import Wire
from mailproto.connection._compression import Damaged, Inflater
from mailproto.errors import WireError

__all__ = ["CompressedInput"]


class CompressedInput:
    """Passes octets on to a wire, and restores them before if they are compressed.

    Its methods raise `WireError` for what is not DEFLATE.
    """

    __slots__ = ("_ended", "_inflater", "_wire")

    _plain = b"*+A"
    """With what a response begins: a star, a plus, or the tag of a command of ours."""

    def __init__(self, wire: Wire[Any]) -> None:
        self._wire = wire
        self._inflater: Inflater | None = None
        self._ended: Inflater | None = None  # of a stream whose end may still come

    def receive(self, data: bytes) -> None:
        """Take octets."""
        if self._inflater is not None:
            self._inflater.receive(data)
        elif self._ended is None:
            self._wire.receive(data)
        elif data:
            try:
                data = self._ended.after_end(data, self._plain)
            except Damaged:
                raise _not_deflate() from None
            if data:
                self._ended = None
                self._wire.receive(data)

    def begin(self, received: bytes) -> None:
        """What comes from now on is compressed, as is ``received``."""
        self._inflater, self._ended = Inflater(), None
        self._inflater.receive(received)

    def end(self) -> None:
        """What follows is not compressed."""
        inflater, self._inflater = self._inflater, None
        if inflater is not None:
            self._ended = inflater
            self.receive(inflater.take_pending())

    def restore(self) -> bool:
        """Restore some octets for the wire; False if there are none."""
        if self._inflater is None:
            return False
        try:
            octets = self._inflater.restore()
        except Damaged:
            raise _not_deflate() from None
        self._wire.receive(octets)
        return bool(octets)


def _not_deflate() -> WireError:
    return WireError("What was received is not DEFLATE")
