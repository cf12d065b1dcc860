"""Checks before the delivery is asked: sender addresses of accounts, and rates of mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto._twisted_arguments import provided
from mailproto.awaiting import settle
from mailproto.connection.proxy import UNIX
from mailproto.errors import Refused
from mailproto.interfaces import IDelivery, IDeliverySessions, IOwnership
from mailproto.model import Address
from mailproto.smtp.server._limits import SMTPLimits
from mailproto.smtp.server._ownership import is_own_address
from mailproto.smtp.server._rates import Rate

if TYPE_CHECKING:
    from mailproto.smtp.server._server import SMTPServer

__all__ = ["SendingPolicy"]


class SendingPolicy:
    """Checks senders and rates, for all sessions of a factory; false if there is nothing to check.

    :param own_senders: whether an account may send only under its own addresses.
    """

    def __init__(
        self, delivery: IDelivery | IDeliverySessions, limits: SMTPLimits, *, own_senders: bool
    ) -> None:
        self._delivery = delivery
        self._own_senders = own_senders
        period = limits.rate_period
        self._messages_per_account = Rate(limits.messages_per_account, period)
        self._messages_per_peer = Rate(limits.messages_per_peer, period)
        self._recipients_per_account = Rate(limits.recipients_per_account, period)
        self._recipients_per_peer = Rate(limits.recipients_per_peer, period)

    def __bool__(self) -> bool:
        """Whether there is anything to check."""
        return bool(
            self._own_senders
            or self._messages_per_account
            or self._messages_per_peer
            or self._recipients_per_account
            or self._recipients_per_peer
        )

    async def check_sender(self, server: SMTPServer, path: Address) -> None:
        """Check a MAIL command.

        :raises Refused: 450 4.7.1, the rate is too high; 550 5.7.1, the address is not the account's.
        """
        self._count(server, self._messages_per_account, self._messages_per_peer, "Too many messages for now")
        account = server.session.account
        # The null path is for notifications, which accounts may send, too (RFC 8098, RFC 3834).
        if self._own_senders and account is not None and path and not await self._owns(account, path):
            raise Refused(550, "5.7.1", "That sender's address is not yours", detail=f"{account} as <{path}>")

    def check_recipient(self, server: SMTPServer) -> None:
        """Check a RCPT command.

        :raises Refused: 450 4.7.1, the rate is too high.
        """
        self._count(
            server, self._recipients_per_account, self._recipients_per_peer, "Too many recipients for now"
        )

    def _count(self, server: SMTPServer, by_account: Rate, by_peer: Rate, text: str) -> None:
        now = server.clock.seconds()
        account = server.session.account
        if by_account and account is not None and not by_account.take(account, now):
            raise Refused(450, "4.7.1", text, detail=f"account {account}")
        if by_peer:
            network = server.peer.network
            if not by_peer.take(network, now):
                raise Refused(450, "4.7.1", text, detail=f"from {network or UNIX}")

    async def _owns(self, account: str, path: Address) -> bool:
        owner = provided(IOwnership, self._delivery)
        if owner is not None:
            return bool(await settle(owner.owns(account, path)))
        return is_own_address(account, path)
