"""A message whose content SEARCH tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mailproto.content import unwrapped
from mailproto.message import Index, Searchable, Steps
from mailproto.model import MessageInfo

__all__ = ["Message"]


class Message:
    """The message whose content is tested.

    :param columns: the answers of columns for the whole batch, an octet for each message.
    :ivar answers: those of tests of its content.
    :param keys: all keys of BODY and TEXT, mapped.
    """

    __slots__ = ("_header", "_text", "answers", "columns", "info", "keys")

    def __init__(self, info: MessageInfo, columns: Mapping[Any, bytes], keys: Collection[str]) -> None:
        self.info = info
        self.columns = columns
        self.keys = keys
        self.answers: dict[object, bool] = {}
        self._text: Searchable | None = None
        self._header: bytes | None = None

    def text(self) -> Steps[Searchable]:
        """Its text, in steps."""
        if self._text is None:
            index = yield from Index.load_steps(self.info.offsets or b"")
            self._text = Searchable(unwrapped(self.info.content), index, self.keys)
        return self._text

    def may_contain(self, word: bytes) -> bool:
        """Whether the header may contain ``word`` (ASCII, in upper case, without white space).

        A search in the octets is enough for nearly every header.  Where nothing is encoded, a word
        that is not in the octets is not in the text, and the header need not be parsed.
        """
        content = unwrapped(self.info.content)
        if not isinstance(content, bytes):
            return True
        if self._header is None:
            self._header = _plain_header(content)
        return self._header is _ANYTHING or word in self._header


_ANYTHING = b"?"
"""Stands for a header that must be decoded before it can be searched."""


def _plain_header(content: bytes) -> bytes:
    """The header, or a little more, in upper case; `_ANYTHING` if some of it is encoded."""
    header = content.partition(b"\n\r\n")[0].partition(b"\n\n")[0]
    # The CR at the end belongs to the line end that was cut off.
    if b"=?" in header or not header.isascii() or b"\r" in header[:-1].replace(b"\r\n", b""):
        return _ANYTHING
    return header.upper()
