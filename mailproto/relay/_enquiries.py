"""What a client may ask of the relay, and who: VRFY, EXPN (RFC 5321 3.5) and ETRN (RFC 1985)."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from mailproto.accounts import full_name
from mailproto.delivery import Delivery
from mailproto.errors import RecipientUnknown, Refused, RelayDenied
from mailproto.interfaces import IExpander, IPermittedCommands, IQueue, IQueueRunner, IVerifier
from mailproto.model import NULL_PATH, Address, Recipient, Session, VerifiedName
from mailproto.relay._expansion import Expander, Expansion
from mailproto.relay._permission import Permission
from mailproto.relay._queue_run import run_queue

__all__ = ["Enquiries"]


@implementer(IExpander, IPermittedCommands, IQueueRunner, IVerifier)
class Enquiries(Delivery):
    """The part of a delivery that answers questions."""

    _expander: Expander
    _permission: Permission
    _queue: IQueue

    def permits(self, session: Session, verb: str) -> bool:
        """See `IPermittedCommands.permits`: VRFY and EXPN are for accounts, ETRN for those who may send
        anywhere."""
        return self._permission.may_send_anywhere(session) if verb == "ETRN" else session.account is not None

    async def run_queue(self, session: Session, node: str) -> int | None:
        """See `IQueueRunner.run_queue`: for clients that may send anywhere, and for domains only, with those
        below them.

        :raises MailError: as there.
        """
        if not self.permits(session, "ETRN"):
            raise Refused(459, "4.7.1", "You may not start the queue")
        return await run_queue(self._queue, node)

    async def verify(self, session: Session, name: str) -> VerifiedName | None:
        """See `IVerifier.verify`: for clients that have signed in.

        :raises MailError: as there.
        """
        return None if not self.permits(session, "VRFY") else await _verified(self._expander, session, name)

    async def expand(self, session: Session, name: str) -> Sequence[VerifiedName]:
        """See `IExpander.expand`: for clients that have signed in.

        :raises MailError: as there.
        """
        if not self.permits(session, "EXPN"):
            raise Refused(550, "5.7.2", "Only accounts may see where mail of an alias goes")
        return await _members_of(self._expander, session, name)


async def _verified(expander: Expander, session: Session, name: str) -> VerifiedName | None:
    """An address here, with a mailbox or an alias; None for one elsewhere, of which nothing is known.

    :raises MailError: there is no such address here.
    """
    expansion = await _expansion(expander, session, name)
    return None if _is_elsewhere(expansion) else VerifiedName(expansion.recipient.address)


async def _members_of(expander: Expander, session: Session, name: str) -> Sequence[VerifiedName]:
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
