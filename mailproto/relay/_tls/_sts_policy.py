"""The policy of MTA-STS (RFC 8461 3.2), and the DNS record that announces it (3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

from mailproto.domains import canonical_domain, domain_fault
from mailproto.relay._exchange import AppliedPolicy

__all__ = ["PATTERNS_LIMIT", "STSPolicy", "parse_policy", "policy_id", "sts_applied"]

PATTERNS_LIMIT: Final = 100
"""The most patterns for hosts in a policy; one with more is not valid."""

MAX_AGE: Final = 31557600
"""Seconds: the longest that a policy may be kept (3.2)."""

_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.\-]{0,31})[ \t]*:[ \t]*([^\r\n]*?)[ \t]*")
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class STSPolicy:
    """What a domain says about the TLS of its servers.

    :ivar mode: ``enforce``; ``testing``: faults are only reported; ``none``: as if there were no policy.
    :ivar patterns: the servers' names, in A-labels and lower case; ``*.example.org`` for any one label.
    :ivar max_age: seconds for which the policy may be kept.
    """

    mode: Literal["enforce", "testing", "none"]
    patterns: tuple[str, ...]
    max_age: int

    @property
    def lines(self) -> tuple[str, ...]:
        """The policy, as its file says it."""
        patterns = [f"mx: {pattern}" for pattern in self.patterns]
        return ("version: STSv1", f"mode: {self.mode}", *patterns, f"max_age: {self.max_age}")

    def allows(self, host: str) -> bool:
        """Whether a host in A-labels and lower case is one of the servers (4.1)."""
        return host in self.patterns or f"*.{host.partition('.')[2]}" in self.patterns


def sts_applied(domain: str, policy: STSPolicy | None) -> AppliedPolicy:
    """How reports name a policy; None for one that could not be had."""
    if policy is None:
        return AppliedPolicy(domain, "sts")
    return AppliedPolicy(domain, "sts", policy.lines, policy.patterns)


def policy_id(texts: Sequence[bytes]) -> str | None:
    """The ``id`` of the policy that the TXT records of ``_mta-sts.DOMAIN`` announce (3.1).

    :returns: None if they announce none: there is not exactly one such record, or it is not valid.
    """
    found = [text for text in texts if re.match(rb"v=STSv1[ \t]*(?:;|\Z)", text)]
    if len(found) != 1 or not found[0].isascii():
        return None
    fields = [part.partition("=") for part in found[0].decode("ascii").split(";")[1:] if part.strip()]
    ids = [value.strip() for name, _, value in fields if name.strip() == "id"]
    return ids[0] if ids and _ID.fullmatch(ids[0]) else None


def parse_policy(octets: bytes) -> STSPolicy:
    """Read the file of a policy (3.2); lines may end with LF alone, and of a repeated field but ``mx`` the
    first counts.

    :raises ValueError: it is not valid; the text says why.
    """
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    fields: dict[str, str] = {}
    patterns: dict[str, None] = {}
    for line in text.split("\n"):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise ValueError("a line is no field")
        if match[1] == "mx":
            patterns[_pattern(match[2])] = None
            if len(patterns) > PATTERNS_LIMIT:
                raise ValueError(f"it has more than {PATTERNS_LIMIT} fields mx")
        else:
            fields.setdefault(match[1], match[2])
    if fields.get("version") != "STSv1":
        raise ValueError("its version is not STSv1")
    if (mode := fields.get("mode")) not in ("enforce", "testing", "none"):
        raise ValueError("its mode is none of enforce, testing and none")
    if not _NUMBER.fullmatch(age := fields.get("max_age", "")):
        raise ValueError("it has no valid max_age")
    if not patterns and mode != "none":
        raise ValueError("it names no server (mx)")
    known = cast(Literal["enforce", "testing", "none"], mode)
    return STSPolicy(known, tuple(patterns), min(int(age), MAX_AGE))


def _pattern(text: str) -> str:
    """:raises ValueError: it is neither a domain nor ``*.`` and a domain."""
    star = "*." if text.startswith("*.") else ""
    if fault := domain_fault(text.removeprefix(star)):
        raise ValueError(f"a server's name {fault}")
    return star + canonical_domain(text.removeprefix(star))
