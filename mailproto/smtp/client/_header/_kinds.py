"""Which syntax a field has, by its name."""

from __future__ import annotations

import enum

__all__ = ["Kind", "is_address_field", "kind_of"]


class Kind(enum.Enum):
    """How a field's value may be written, and where a line may end in it."""

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

_LIKE_ADDRESSES = frozenset(
    "apparently-to disposition-notification-to errors-to mail-followup-to mail-reply-to return-receipt-to"
    # Phrases (RFC 5322 3.6.5), and one with something in angle brackets (RFC 2919 3).
    " keywords list-id".split()
)

_MIME = frozenset(("content-type", "content-disposition"))

# Angle brackets with URLs in them (RFC 2369, 5064).
_LIST = frozenset(
    "archived-at content-location list-archive list-help list-owner list-post list-subscribe"
    " list-unsubscribe".split()
)

_IDS = frozenset(
    "content-id in-reply-to message-id obsoletes original-message-id references resent-message-id"
    " supersedes".split()
)

# tag=value lists, in whose base64 white space means nothing (RFC 6376 2.10, RFC 8617 4.1, Autocrypt 1.1).
_TAGS = frozenset(
    "arc-message-signature arc-seal autocrypt autocrypt-gossip autocrypt-setup-message dkim-signature"
    " domainkey-signature x-google-dkim-signature".split()
)

# Of the IANA registry and of custom, what is neither text nor any of the above.
_OTHER = frozenset(
    "accept-language alternate-recipient arc-authentication-results authentication-results auto-submitted"
    " bimi-indicator bimi-location bimi-selector content-alternative content-base content-duration"
    " content-features content-language content-md5 content-return content-transfer-encoding control"
    " conversion date date-received deferred-delivery delivered-to delivery-date"
    " disposition-notification-options distribution encoding encrypted envelope-to expires expiry-date"
    " feedback-id followup-to importance injection-date injection-info language latest-delivery-time"
    " list-unsubscribe-post message-context message-type mime-version mmhs-exempted-address"
    " newsgroups openpgp original-encoded-information-types original-from original-recipient"
    " path posted precedence prevent-nondelivery-report priority received received-spf reply-by"
    " require-recipient-valid-since resent-date return-path sensitivity solicitation thread-index"
    " tls-report-domain tls-report-submitter tls-required vbr-info x-envelope-from x-envelope-to"
    " x-failed-recipients x-forwarded-encrypted x-forwarded-for x-forwarded-to x-google-smtp-source"
    " x-mailman-version x-original-authentication-results x-original-to x-originating-ip x-received"
    " x-ses-outgoing x400-content-identifier x400-content-return x400-content-type"
    " x400-mts-identifier x400-originator x400-received x400-recipients x400-trace xref".split()
)

_KINDS = {
    name: kind
    for kind, names in (
        (Kind.ADDRESSES, _ADDRESSES | _LIKE_ADDRESSES),
        (Kind.MIME, _MIME),
        (Kind.LIST, _LIST),
        (Kind.IDS, _IDS),
        (Kind.TAGS, _TAGS),
        (Kind.OTHER, _OTHER),
    )
    for name in names
}


def is_address_field(name: str) -> bool:
    """Whether it says who a message is from or to (RFC 5322 3.6.2, 3.6.3, 3.6.6); in any case."""
    return name.lower() in _ADDRESSES


def kind_of(name: str) -> Kind:
    """In any case.  Fields that nothing is known of are unstructured (RFC 5322 3.6.8)."""
    name = name.lower()
    kind = _KINDS.get(name)
    if kind is None:
        # What others register, or make up, for the same purposes.
        kind = Kind.LIST if name.startswith("list-") else Kind.UNSTRUCTURED
        if name.startswith("arc-") or name.endswith("-dkim-signature"):
            kind = Kind.TAGS
    return kind
