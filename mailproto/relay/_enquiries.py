"""What an account is told about addresses here (VRFY and EXPN, RFC 5321 3.5)."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.accounts import full_name
from mailproto.errors import RecipientUnknown, RelayDenied
from mailproto.model import NULL_PATH, Address, Recipient, Session, VerifiedName
from mailproto.relay._expansion import Expander, Expansion

__all__ = ["members_of", "verified"]


async def verified(expander: Expander, session: Session, name: str) -> VerifiedName | None:
    """An address here, with a mailbox or an alias; None for one elsewhere, of which nothing is known.

    :raises MailError: there is no such address here.
    """
    expansion = await _expansion(expander, session, name)
    return None if _is_elsewhere(expansion) else VerifiedName(expansion.recipient.address)


async def members_of(expander: Expander, session: Session, name: str) -> Sequence[VerifiedName]:
    """The addresses that get the mail of an alias; of a mailbox, its own.

    :raises MailError: there is no such address here.
    """
    expansion = await _expansion(expander, session, name)
    if _is_elsewhere(expansion):
        raise RecipientUnknown("That address is not here")
    return [
        VerifiedName(copy.recipient.address)
        for copy in expansion.copies
        if isinstance(copy.place, (str, tuple))
    ]


async def _expansion(expander: Expander, session: Session, name: str) -> Expansion:
    domain = (session.account or "").rpartition("@")[2]
    try:
        path = Address.parse(full_name(name.strip().removeprefix("<").removesuffix(">"), domain))
    except ValueError:
        path = NULL_PATH
    if not path:
        raise RecipientUnknown("That is no address")
    [expansion] = await expander.expand([Recipient(path)])
    error = expansion.error
    if error is not None and (expansion.is_alias or not isinstance(error, RelayDenied)):
        raise error
    return expansion


def _is_elsewhere(expansion: Expansion) -> bool:
    return not expansion.is_alias and not isinstance(expansion.copies[0].place, tuple)
