"""The syntax of each field, by its name."""

from __future__ import annotations

import enum

__all__ = ["Kind", "is_address_field", "kind_of"]


class Kind(enum.Enum):
    """How a field's value may be written, and where it may be folded."""

    UNSTRUCTURED = enum.auto()
    ADDRESSES = enum.auto()
    MIME = enum.auto()
    LIST = enum.auto()
    IDS = enum.auto()
    TAGS = enum.auto()
    OTHER = enum.auto()


_ADDRESSES = frozenset(
    prefix + name for prefix in ("", "resent-") for name in ("from", "sender", "reply-to", "to", "cc", "bcc")
)

_NAMES = {
    Kind.ADDRESSES: """
        apparently-to disposition-notification-to errors-to mail-followup-to mail-reply-to
        return-receipt-to
        keywords list-id
    """,  # the last two because of their phrases (RFC 5322 3.6.5, RFC 2919 3)
    Kind.MIME: "content-type content-disposition",
    # URLs in angle brackets (RFC 2369, 5064), and one without them (RFC 2557 4).
    Kind.LIST: """
        archived-at content-location list-archive list-help list-owner list-post list-subscribe
        list-unsubscribe
    """,
    Kind.IDS: """
        content-id in-reply-to message-id obsoletes original-message-id references resent-message-id
        supersedes
    """,
    # Lists of tag=value with base64, in which white space means nothing (RFC 6376 2.10, RFC 8617 4.1,
    # Autocrypt 1.1).
    Kind.TAGS: """
        arc-message-signature arc-seal autocrypt autocrypt-gossip autocrypt-setup-message
        dkim-signature domainkey-signature
    """,
    # Other fields, of the IANA registry or in common use, that are not text.
    Kind.OTHER: """
        accept-language alternate-recipient arc-authentication-results authentication-results
        auto-submitted bimi-indicator bimi-location bimi-selector content-alternative content-base
        content-duration content-features content-language content-md5 content-return
        content-transfer-encoding control conversion date date-received deferred-delivery
        delivered-to delivery-date disposition-notification-options distribution encoding encrypted
        envelope-to expires expiry-date feedback-id followup-to importance injection-date
        injection-info language latest-delivery-time list-unsubscribe-post message-context
        message-type mime-version newsgroups openpgp original-encoded-information-types
        original-from original-recipient path posted precedence prevent-nondelivery-report priority
        received received-spf reply-by require-recipient-valid-since resent-date return-path
        sensitivity solicitation thread-index tls-report-domain tls-report-submitter tls-required
        vbr-info x-envelope-from x-envelope-to x-failed-recipients x-forwarded-encrypted
        x-forwarded-for x-forwarded-to x-original-authentication-results x-original-to
        x-originating-ip x-received xref
    """,
}

_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()} | dict.fromkeys(
    _ADDRESSES, Kind.ADDRESSES
)


def is_address_field(name: str) -> bool:
    """Whether it is a field of senders or recipients (RFC 5322 3.6.2, 3.6.3, 3.6.6), in any case."""
    return name.lower() in _ADDRESSES


def kind_of(name: str) -> Kind:
    """The syntax of a field, by its name in any case; unknown fields are unstructured (RFC 5322 3.6.8)."""
    name = name.lower()
    if name.startswith("downgraded-"):  # the text of another field (RFC 6857 3.2)
        return Kind.UNSTRUCTURED
    if name in _KINDS:
        return _KINDS[name]
    # Fields that other programs have made up for the same purposes.
    if name.startswith("list-"):
        return Kind.LIST
    if name.startswith("arc-") or name.endswith("-dkim-signature"):
        return Kind.TAGS
    return Kind.UNSTRUCTURED
