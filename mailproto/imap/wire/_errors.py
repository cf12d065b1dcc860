"""Errors in a client's octets."""

from __future__ import annotations

from mailproto.errors import WireError

__all__ = ["IMAPWireError"]


class IMAPWireError(WireError):
    """A command that cannot be carried out.

    :ivar text: one line of printable ASCII for the client.
    :ivar tag: the command's tag; None if it could not be read, and then the answer is untagged.
    :ivar code: response code without its brackets (RFC 9051 7.1), or "".
    :ivar bad: whether the answer is BAD, for a protocol error; else it is NO.
    :ivar fatal: whether the connection must be closed (BYE), because the beginning of the next
        command cannot be found.
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
