"""What POP3 clients may do with an account."""

from __future__ import annotations

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import POP3Policy

__all__ = ["IPOP3Policy"]


@contract
class IPOP3Policy(Contract, metaclass=ContractClass):
    """An IAccount with a `POP3Policy` of its own, in the place of the server's."""

    def pop3_policy(self) -> Result[POP3Policy]:
        """The policy; it is asked for at each login, and holds until the session ends."""
