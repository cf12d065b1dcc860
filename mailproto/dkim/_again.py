"""Signing a message again that was converted after it had been signed (RFC 6376 5.3)."""

from __future__ import annotations

import re

from mailproto.content import Content
from mailproto.dkim._folder import KeyFolder
from mailproto.dkim._signatures import FIELD, signatures
from mailproto.message import HEADER_LIMIT

__all__ = ["signed_again"]

_OWN = re.compile(
    rb"^%b: v=1; a=[a-z0-9-]+; c=relaxed/relaxed; d=([^;\r\n]+);\r\n s=([^;\r\n]+); t=([0-9]{1,12});\r\n"
    % FIELD,
    re.MULTILINE,
)
"""The beginning of a field as `signatures` writes it."""


def signed_again(before: Content, after: Content, folder: KeyFolder) -> Content:
    """The converted message, with new signatures in place of those that this server has made.

    Both kinds of keys sign without chance, so a signature is ours if we would make the same one: nobody gets
    a valid signature for what merely looks as if we had signed it.

    :param before: the message as it was signed, perhaps with fields before the signatures.
    :param after: its converted form, with the same fields up to the signatures.
    :returns: ``after`` itself, if the signatures are not ours, or the keys are gone.
    :raises OSError, ValueError: a key or the message cannot be read.
    """
    header = before[:HEADER_LIMIT]
    header = header[: header.find(b"\r\n\r\n") + 2]
    for found in _OWN.finditer(header):
        domain, selector = (octets.decode("ascii", "replace") for octets in found.groups()[:2])
        keys = folder.of_selector(domain, selector)
        start, end = found.start(), _end(header, found.start(), len(keys))
        signed = header[start:end]
        if not signed or after[:end] != header[:end]:
            continue
        if signatures(before.from_octet(end), domain, keys, now=int(found[3])) == signed:
            rest = after.from_octet(end)
            return rest.prepend(header[:start] + signatures(rest, domain, keys))
    return after


def _end(header: bytes, start: int, number: int) -> int:
    """Where so many fields end; ``start`` if there are fewer, or others."""
    end = start
    for _ in range(number):
        if not header.startswith(FIELD + b":", end):
            return start
        end = header.find(b"\r\n", end) + 2
        while header.startswith((b" ", b"\t"), end):
            end = header.find(b"\r\n", end) + 2
    return end
