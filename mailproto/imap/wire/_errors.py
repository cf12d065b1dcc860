"""What a client's octets can be wrong about."""

from __future__ import annotations

from mailproto.errors import WireError

__all__ = ["IMAPWireError"]


class IMAPWireError(WireError):
    """A command that is not to be carried out; the answer is tagged if ``tag`` is known.

    :ivar text: one line of printable ASCII for the client.
    :ivar tag: None where no tag could be read: the answer is untagged then.
    :ivar code: response code without its brackets (RFC 9051 7.1), or "".
    :ivar bad: whether the answer is BAD (what was sent is not the protocol), else it is NO.
    :ivar fatal: whether the connection must end (BYE), since nobody can tell where the next
        command begins.
    """

    def __init__(
        self, text: str, *, tag: str | None = None, code: str = "", bad: bool = True, fatal: bool = False
    ) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag
        self.code = code
        self.bad = bad
        self.fatal = fatal
