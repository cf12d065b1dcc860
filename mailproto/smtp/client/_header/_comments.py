"""Comments (RFC 5322 3.2.2), which any structured field may have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailproto.message import unquote
from mailproto.smtp.client._header._encoded_words import encoded_words, meant, must_be_encoded
from mailproto.smtp.client._header._errors import NeedsUTF8, NoForm
from mailproto.smtp.client._header._folding import Token
from mailproto.smtp.client._header._lexis import Lexeme
from mailproto.smtp.client._header._unstructured import unstructured

__all__ = ["comment", "require"]

_SPECIAL = re.compile(rb"[()\\]").search
_LENGTH = 70
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
"""What the email package shows for octets that it does not understand: they are lost."""


def comment(lexeme: Lexeme, *, utf8: bool) -> Iterator[Token]:
    """As it is, if that can be, or with encoded words (RFC 2047 5 (2))."""
    inside = lexeme.text[1:-1]
    if _SPECIAL(inside) and must_be_encoded(inside, utf8=utf8):
        words = [(b" ", word) for word in encoded_words(*meant(unquote(inside)))]
    else:
        words = list(unstructured(inside, utf8=utf8, is_text=False, first=_LENGTH)) or [(b"", b"")]
    for index, (space, word) in enumerate(words):
        space = space if index else lexeme.space
        yield space, b"(" * (not index) + word + b")" * (index == len(words) - 1)


def require(octets: bytes, *, utf8: bool) -> None:
    """See that what can have no encoded words can be sent as it is.

    :raises NeedsUTF8:
    :raises NoForm:
    """
    if must_be_encoded(octets, utf8=utf8):
        if must_be_encoded(octets, utf8=True) or _REPLACEMENT in octets:
            raise NoForm
        raise NeedsUTF8
