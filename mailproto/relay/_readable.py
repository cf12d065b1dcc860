"""Whether a message's content is still there, before a server is told about it."""

from __future__ import annotations

import errno
from typing import Final

from mailproto.content import Content, Octets, unwrapped
from mailproto.model import Outcome
from mailproto.printable import printable

__all__ = ["readable"]

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, None})
"""Errors that no waiting mends; None is that of a file that has become too short."""


def readable(content: Content | None) -> Octets | Outcome:
    """The content, as bytes if it is in memory; or the outcome if it cannot be read.

    Octets in memory are there; of a file, the last octet is read.
    """
    if content is None:
        return _LOST
    octets = unwrapped(content)
    if isinstance(octets, Content):
        try:
            octets[-1:]
        except OSError as error:
            if error.errno in _GONE:
                return Outcome(_LOST.code, _LOST.enhanced, _LOST.text, printable(str(error)))
            return Outcome(451, "4.3.0", "This server cannot read the message now", printable(str(error)))
    return octets


_LOST: Final = Outcome(
    554, "5.3.0", "This server has lost the content of the message: it has to be sent again"
)
