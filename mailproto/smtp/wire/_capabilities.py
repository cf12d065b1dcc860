"""The extensions in a server's reply to EHLO or LHLO (RFC 5321 4.1.1.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from mailproto.smtp.wire._reply import Reply

__all__ = ["NO_CAPABILITIES", "Capabilities", "parse_capabilities"]

MAX_KEYWORDS = 100
"""The most keywords that are kept from a reply; no server has so many."""

MAX_PARAMETERS = 100
"""The most parameters that are kept from a keyword; no keyword has so many."""

_PRINTABLE = re.compile(rb"[!-~]++")
_MECHANISM = re.compile(r"[A-Za-z0-9\-_]{1,20}")  # RFC 4422 3.1
_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9\-]*+")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_LIMIT = re.compile(r"(RCPTMAX|MAILMAX|RCPTDOMAINMAX)=([0-9]{1,6})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Extensions by keyword, and the values that are often needed.

    :ivar keywords: in upper case, each with its parameters as written, in printable ASCII.
    :ivar max_size: the most octets of a message (RFC 1870 4); None if the server names no limit.
    :ivar mechanisms: the mechanisms of AUTH, in upper case and in the server's order (RFC 4954 3).
    :ivar max_recipients: the most recipients of a transaction (RFC 9422 RCPTMAX), or None.
    :ivar max_recipient_domains: the most domains of a transaction's recipients (RFC 9422
        RCPTDOMAINMAX), or None.
    :ivar max_transactions: the most transactions of a connection (RFC 9422 MAILMAX), or None.
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    max_size: int | None = None
    mechanisms: tuple[str, ...] = ()
    max_recipients: int | None = None
    max_recipient_domains: int | None = None
    max_transactions: int | None = None

    def __contains__(self, keyword: str) -> bool:
        """Whether the server offers an extension; the keyword must be in upper case."""
        return keyword in self.keywords


NO_CAPABILITIES = Capabilities()
"""The capabilities of a server that was greeted with HELO."""


def parse_capabilities(reply: Reply) -> Capabilities:
    """Read the lines after the first one; lines that are not valid are skipped.

    ``AUTH=LOGIN``, which servers older than RFC 2554 send, counts as ``AUTH LOGIN``.  All lines of
    AUTH are joined; of any other repeated keyword, only the first line counts.  The first
    `MAX_KEYWORDS` are kept, each with its first `MAX_PARAMETERS`.
    """
    keywords: dict[str, tuple[str, ...]] = {}
    mechanisms: dict[str, None] = {}
    for line in reply.lines[1:]:
        words = line.split(None, MAX_PARAMETERS + 1)
        if words and words[0][:5].upper() == b"AUTH=":
            words[:1] = [b"AUTH", words[0][5:]]
        if not words or not _KEYWORD.fullmatch(words[0]):
            continue
        keyword = words[0].decode("ascii").upper()
        if keyword in keywords:
            if keyword != "AUTH" or len(mechanisms) >= MAX_PARAMETERS:
                continue
        elif len(keywords) == MAX_KEYWORDS:
            continue
        parameters = [
            word.decode("ascii") for word in words[1 : MAX_PARAMETERS + 1] if _PRINTABLE.fullmatch(word)
        ]
        keywords.setdefault(keyword, tuple(parameters))
        if keyword == "AUTH":
            mechanisms.update((name.upper(), None) for name in parameters if _MECHANISM.fullmatch(name))
    if "AUTH" in keywords:
        keywords["AUTH"] = tuple(islice(mechanisms, MAX_PARAMETERS))
    size = keywords.get("SIZE", ())
    limits = {
        match[1].upper(): int(match[2])
        for parameter in keywords.get("LIMITS", ())
        if (match := _LIMIT.fullmatch(parameter))
    }
    return Capabilities(
        MappingProxyType(keywords),
        max_size=(int(size[0]) or None) if size and _NUMBER.fullmatch(size[0]) else None,
        mechanisms=keywords.get("AUTH", ()),
        max_recipients=limits.get("RCPTMAX") or None,
        max_recipient_domains=limits.get("RCPTDOMAINMAX") or None,
        max_transactions=limits.get("MAILMAX") or None,
    )
