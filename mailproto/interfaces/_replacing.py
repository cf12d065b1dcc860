"""Putting a message in the place of another one."""

from __future__ import annotations

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.interfaces._mailboxes import IMailbox
from mailproto.model import AppendedMessage, NewMessage

__all__ = ["IReplacing"]


@contract
class IReplacing(Contract, metaclass=ContractClass):
    """An IMailbox that can replace a message in one transaction (REPLACE, RFC 8508)."""

    def replace(self, uid: int, message: NewMessage, target: IMailbox) -> Result[AppendedMessage]:
        """Append ``message`` to ``target``, and remove a message from here, whatever its flags: both, or
        nothing.

        A quota counts only by how much the account grows (RFC 8508 3.4).

        :param target: a mailbox that may be the same, as for `IMailbox.copy`.
        :raises NoSuchMessage: the message is not here.
        :raises MailError: as `IMailbox.append`.
        :raises ValueError: a flag is neither a system flag nor a keyword.
        """
