"""Making DKIM-Signature fields (RFC 6376 3.5, 5)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping, Sequence

from mailproto._arguments import check_mapping, check_type
from mailproto.content import Content, Octets
from mailproto.dkim._canonical import body_hash, relaxed_field
from mailproto.dkim._keys import SigningKey
from mailproto.domains import canonical_domain, domain_fault
from mailproto.message import HEADER_LIMIT, STRUCTURED_LIMIT, header_fields, parse_addresses

__all__ = ["FIELD", "author_domain", "signatures"]

FIELD = b"DKIM-Signature"

_OVERSIGNED = (b"from", b"subject", b"date", b"to")
"""Fields of which nobody can add another one without breaking the signature (8.15)."""

_SIGNED = (
    *_OVERSIGNED,
    b"cc",
    b"reply-to",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"content-id",
    b"content-description",
    b"sender",
    b"resent-date",
    b"resent-from",
    b"resent-to",
    b"resent-cc",
    b"resent-message-id",
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"auto-submitted",
)
"""What a reader sees, or a mail program acts on (5.4.1); trace fields change on the way."""

_WIDTH = 72


def author_domain(content: Octets) -> str:
    """The domain of the one author in the field From, in A-labels: what receivers compare (RFC 7489 3.1).

    :returns: "" if there is not exactly one field with exactly one address.
    """
    values = [value for name, value in _fields(Content.of(content))[0] if name == b"from"]
    if len(values) != 1 or len(values[0]) > STRUCTURED_LIMIT:
        return ""
    try:
        hosts = [mailbox.host for mailbox in parse_addresses(values[0], strict=True) if mailbox.host]
    except ValueError:  # not an address
        return ""
    if len(hosts) != 1:
        return ""
    domain = canonical_domain(hosts[0].decode("utf-8", "replace"))
    return "" if domain_fault(domain) else domain


def signatures(
    content: Octets, domain: str, keys: Mapping[str, SigningKey], *, now: float | None = None
) -> bytes:
    """The DKIM-Signature fields for a message, one for each key: put them before its header.

    Large messages are read in pieces.  It takes some 5 ms for each megaoctet, and 0.7 ms for an RSA key, so
    call it in a thread.

    :param content: with CRLF line ends; a message that is changed on the way is no longer signed.  What the
        relay converts to 7 bits, it signs again.
    :param domain: that signs: that of the author.
    :param keys: by their selectors.
    :param now: seconds since the epoch, for the time of the signatures; None for the current time.
    :returns: no octets if there are no keys, or the header is longer than `mailproto.message.HEADER_LIMIT`.
    :raises OSError: the content cannot be read.
    """
    check_type("domain", domain, str, "a domain, a str")
    check_mapping("keys", keys)
    content = Content.of(content)
    fields, body = _fields(content)
    if not keys or body < 0:
        return b""
    chosen = list(_chosen(fields))
    header = b"".join(relaxed_field(name, value) + b"\r\n" for name, value in chosen if value is not None)
    names = [name for name, _ in chosen]
    digest = base64.b64encode(body_hash(content, body))
    seconds = int(time.time() if now is None else now)
    made = []
    for selector, key in keys.items():
        unsigned = b" v=1; a=%b; c=relaxed/relaxed; d=%b;\r\n s=%b; t=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            key.algorithm.encode("ascii"),
            canonical_domain(domain).encode("ascii"),
            selector.encode("ascii"),
            seconds,
            _folded_names(names),
            digest,
        )
        signed = key.sign(header + relaxed_field(FIELD, unsigned))
        made.append(FIELD + b":" + unsigned + _folded(base64.b64encode(signed)) + b"\r\n")
    return b"".join(made)


def _fields(content: Content) -> tuple[list[tuple[bytes, bytes]], int]:
    """The names, in lower case, and values of the header's fields, and where the body begins; -1 if the
    header is too long."""
    beginning = content[: HEADER_LIMIT + 4]
    if beginning.startswith(b"\r\n"):
        return [], 2
    end = beginning.find(b"\r\n\r\n")
    if end < 0:
        if len(content) > HEADER_LIMIT:
            return [], -1
        end = len(beginning)
    header = beginning[: end + 2]
    fields = [(field.name.lower(), field.value) for field in header_fields(header)]
    return fields, min(end + 4, len(content))


def _chosen(fields: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes | None]]:
    """The fields to sign, from the last one of each name to its first (5.4.2), and None for one too many."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    for name in _SIGNED:
        for value in reversed(values.get(name, [])):
            yield name, value
        if name in _OVERSIGNED:
            yield name, None


def _folded_names(names: Sequence[bytes]) -> bytes:
    lines, line = [], b""
    for name in names:
        if line and len(line) + len(name) > _WIDTH:
            lines.append(line)
            line = b""
        line += (b":" if line or lines else b"") + name
    return b"\r\n ".join([*lines, line])


def _folded(encoded: bytes) -> bytes:
    return b"\r\n ".join([encoded[at : at + _WIDTH] for at in range(0, len(encoded), _WIDTH)])
