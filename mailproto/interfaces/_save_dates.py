"""Save dates: when a message came into its mailbox."""

from __future__ import annotations

from mailproto._contracts import Contract, ContractClass, contract

__all__ = ["ISaveDates"]


@contract
class ISaveDates(Contract, metaclass=ContractClass):
    """An IMailbox that keeps when each message was put into it (SAVEDATE, RFC 8514).

    `IMailbox.read` answers `Part.SAVE_DATE`: `MessageInfo.save_date` is the time of the delivery, the append,
    the copy or the move.  It is None for a message of which that is not known, because an earlier version of
    the store did not keep it.
    """
