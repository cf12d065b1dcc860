"""Aliases: addresses whose mail others get."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import Address

__all__ = ["IAliases"]


@contract
class IAliases(Contract, metaclass=ContractClass):
    """Knows which addresses get the mail of others; `mailproto.relay.QueueDelivery` asks it.

    `mailproto.relay.aliases.AliasFile` reads them from a file.
    """

    def addresses_for(self, path: Address, is_unknown: bool) -> Result[Sequence[Address] | None]:
        """The addresses that get the mail of an address.

        They may have aliases themselves, and may be at other servers.  An address among its own results means
        its own mailbox.  The method is called for each recipient, again for those that it returns, and again
        for the same ones when the message comes.

        :param path: in any spelling; ``Address("Postmaster", "")`` for a postmaster without a domain.
        :param is_unknown: False at first.  For an address without an alias and without a mailbox here, the
            method is called again with True: return who gets all other mail of the domain.
        :returns: at least one address; None if there is no alias.
        :raises MailError: to refuse mail for the address.
        """
