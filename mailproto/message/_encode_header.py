"""Writing the text of a header field as octets (RFC 2047), the other way of `decode_header`."""

from __future__ import annotations

from mailproto._arguments import check_type
from mailproto.message._unstructured import unstructured
from mailproto.message._words import encoded_words, fold
from mailproto.message._write import check_field_name

__all__ = ["encode_header"]

_LINE = 76
"""The most octets of a line with an encoded word (RFC 2047 2)."""


def encode_header(text: str, name: str = "Subject") -> bytes:
    r"""Encode text as the value of an unstructured header field, such as Subject (RFC 5322 3.6.5).

    Words that are not ASCII become encoded words (RFC 2047), and so does everything that could damage
    the header, such as line ends: no text begins another field.  The value is folded into lines of at
    most 76 octets where it has blanks, and has no line end after it.  It is all ASCII, and
    `decode_header` makes the same text of it::

        field = b"Subject: %b\r\n" % encode_header("Schöne Grüße")

    It is for text only: addresses, dates and Message-IDs have their own syntax.

    :param text: a surrogate in it, which is not a character, becomes a question mark.
    :param name: the field's name, for which the first line leaves room.
    :raises TypeError: ``text`` or ``name`` is no str.
    :raises ValueError: ``name`` is not a field's name of at most 70 octets.
    """
    check_type("text", text, str, "a str")
    check_type("name", name, str, "a str such as 'Subject'")
    check_field_name(before := name.encode())
    octets = text.encode("utf-8", "replace")
    room = _LINE - len(before) - 2
    value = b" "
    if octets == octets.strip(b" \t"):  # some readers remove blanks at the ends of a field
        tokens = unstructured(octets, utf8=False, is_text=True, first=room)
        value = fold(before, tokens)[len(before) + 1 : -2].removeprefix(b" ")
    if value[:1].isspace():  # the first word is too long for the first line
        words = [(b" ", word) for word in encoded_words(octets, b"utf-8", first=room)]
        value = fold(before, words)[len(before) + 2 : -2]
    return value
