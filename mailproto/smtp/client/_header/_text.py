"""Reading fields from the email package, which keeps values in several forms."""

from __future__ import annotations

from collections.abc import Iterator
from email.header import Header, decode_header
from typing import Any

__all__ = ["field_text", "is_parsed", "read_text"]

_UNKNOWN = "unknown-8bit"
_WHOLE = frozenset(("bare-quoted-string", "comment", "domain-literal"))


def field_text(value: Any) -> bytes:
    """A field's value, line ends included: octets as they were read, and text in UTF-8.

    :raises ValueError: it has surrogates that do not stand for octets.
    """
    if isinstance(value, Header):
        text = _of_chunks(value)
    else:
        # The parse tree has parts that str() leaves out: comments, and text that is not an address.
        # A date that is not valid has no parse tree.
        tree = getattr(value, "_parse_tree", None)
        text = _of_tree(tree) if tree else str(value)
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("a header field is not Unicode") from None


def read_text(value: Any) -> bytes:
    """`field_text`, for reading addresses.

    The email package closes open comments and quotes, and so hides the addresses in them.
    """
    text = field_text(value)
    is_closed = not any("end of header inside" in str(defect) for defect in getattr(value, "defects", ()))
    return text if is_closed else text.rstrip(b') "')


def is_parsed(value: Any) -> bool:
    """Whether a value is of `email.headerregistry`: text without encoded words."""
    return hasattr(value, "fold")


def _of_tree(token: Any) -> str:
    """The text of a parse tree; names that were encoded words are quoted, as they may have any character."""
    kind = getattr(token, "token_type", None)
    if kind in ("display-name", "phrase") and any(_encoded_words(token)):
        name = str(getattr(token, "display_name", token)).replace("\\", "\\\\").replace('"', '\\"')
        return " ".join(["", f'"{name}"', *_comments(token), ""])
    if isinstance(token, str) or kind in _WHOLE or not isinstance(token, list):
        return str(token)
    if kind in ("mime-parameters", "unstructured"):
        return str(token)
    return "".join(map(_of_tree, token))


def _encoded_words(token: Any) -> Iterator[bool]:
    if getattr(token, "token_type", None) == "encoded-word":
        yield True
    elif isinstance(token, list) and getattr(token, "token_type", None) not in _WHOLE:
        for inner in token:
            yield from _encoded_words(inner)


def _comments(token: Any) -> Iterator[str]:
    if getattr(token, "token_type", None) == "comment":
        yield str(token)
    elif isinstance(token, list):
        for inner in token:
            yield from _comments(inner)


def _of_chunks(header: Header) -> str:
    """The text of a `Header`; octets of an unknown charset are kept, which str() would replace."""
    chunks = decode_header(header)
    if all(charset != _UNKNOWN for _, charset in chunks):
        return str(header)
    return " ".join(
        chunk
        if isinstance(chunk, str)
        else chunk.decode("ascii" if charset == _UNKNOWN else charset or "ascii", "surrogateescape")
        for chunk, charset in chunks
    )
