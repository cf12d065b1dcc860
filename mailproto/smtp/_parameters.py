"""What the parameters of MAIL and RCPT may say (RFC 5321 4.1.1.11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from mailproto.errors import MailError, MessageTooLarge, Refused
from mailproto.model import Parameters

__all__ = ["check_parameters"]

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
"""RFC 3461 4: with upper-case hexadecimal digits only."""


def check_parameters(parameters: Parameters, known: Collection[str], max_size: int) -> None:
    """Take or refuse the values of ``parameters``.

    :param known: the keywords of extensions that were announced for this command.
    :raises Refused: 555 for an unknown keyword, 501 for a bad value.
    :raises MessageTooLarge: SIZE is more than ``max_size``.
    """
    for keyword, value in parameters.items():
        if keyword not in known:
            raise Refused(555, "5.5.4", "Parameter not recognised or not implemented")
        if error := _CHECKS[keyword](value, max_size):
            raise error


def _size(value: str | None, max_size: int) -> MailError | None:
    """RFC 1870 6: up to twenty digits."""
    if value is None or len(value) > 20 or not (value.isascii() and value.isdigit()):
        return Refused(501, "5.5.4", "SIZE needs a number of octets")
    return MessageTooLarge("Message exceeds fixed maximum message size") if int(value) > max_size else None


def _body(value: str | None, max_size: int) -> MailError | None:
    """RFC 6152 2."""
    if value is None or value.upper() not in ("7BIT", "8BITMIME"):
        return Refused(501, "5.5.4", "BODY needs 7BIT or 8BITMIME")
    return None


def _smtputf8(value: str | None, max_size: int) -> MailError | None:
    """RFC 6531 3.4: without a value."""
    return None if value is None else Refused(501, "5.5.4", "SMTPUTF8 takes no value")


def _auth(value: str | None, max_size: int) -> MailError | None:
    """RFC 4954 5: an address or ``<>`` in xtext."""
    if value is None or not _XTEXT.fullmatch(value):
        return Refused(501, "5.5.4", "AUTH needs an address in xtext")
    return None


_CHECKS: dict[str, Callable[[str | None, int], MailError | None]] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _smtputf8,
    "AUTH": _auth,
}
