"""What a field's value has no form for."""

from __future__ import annotations

__all__ = ["NeedsUTF8", "NoForm"]


class NeedsUTF8(ValueError):
    """Something that is not ASCII stands where no encoded word may (RFC 2047 5): in an address, an id.

    Only a header in UTF-8 can show it (RFC 6532 3.2).
    """


class NoForm(ValueError):
    """Octets that are not even UTF-8 stand there."""
