"""Checks before the delivery is asked: sender addresses of accounts, and rates of mail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

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

__all__ = ["ClientPolicy", "SendingPolicy"]


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
        self._recipients_per_account = Rate(limits.recipients_per_account, period)
        self._messages_per_peer = _PeerRates(limits.messages_of_peer, period)
        self._recipients_per_peer = _PeerRates(limits.recipients_of_peer, period)

    def __bool__(self) -> bool:
        """Whether there is anything to check."""
        return bool(
            self._own_senders
            or self._messages_per_account
            or self._recipients_per_account
            or self._messages_per_peer
            or self._recipients_per_peer
        )

    def of_client(self, server: SMTPServer) -> ClientPolicy | None:
        """What is checked for this client, as it is now; None if nothing is."""
        account = server.account
        messages = _counted(server, self._messages_per_account, self._messages_per_peer)
        recipients = _counted(server, self._recipients_per_account, self._recipients_per_peer)
        owner = self._owns if self._own_senders and account is not None else None
        if owner is None and not messages and not recipients:
            return None
        return ClientPolicy(messages, recipients, account or "", owner)

    async def _owns(self, account: str, path: Address) -> bool:
        owner = provided(IOwnership, self._delivery)
        if owner is not None:
            return bool(await settle(owner.owns(account, path)))
        return is_own_address(account, path)


class ClientPolicy:
    """What is checked for one client.

    :ivar own_senders: whether it may send only under its own addresses.
    """

    __slots__ = ("_account", "_messages", "_owns", "_recipients", "own_senders")

    def __init__(
        self,
        messages: Sequence[_Counted],
        recipients: Sequence[_Counted],
        account: str,
        owns: Callable[[str, Address], Awaitable[bool]] | None,
    ) -> None:
        self._messages = messages
        self._recipients = recipients
        self._account = account
        self._owns = owns
        self.own_senders = owns is not None

    def count_message(self, now: float) -> None:
        """Count a MAIL command.

        :raises Refused: 450 4.7.1, the rate is too high.
        """
        for rate, key, detail in self._messages:
            if not rate.take(key, now):
                raise Refused(450, "4.7.1", "Too many messages for now", detail=detail)

    def count_recipient(self, now: float) -> None:
        """Count a RCPT command.

        :raises Refused: 450 4.7.1, the rate is too high.
        """
        for rate, key, detail in self._recipients:
            if not rate.take(key, now):
                raise Refused(450, "4.7.1", "Too many recipients for now", detail=detail)

    async def check_sender(self, path: Address) -> None:
        """Check the address of a MAIL command.

        :raises Refused: 550 5.7.1, the address is not the account's.
        """
        # The null path is for notifications, which accounts may send, too (RFC 8098, RFC 3834).
        if self._owns is not None and path and not await self._owns(self._account, path):
            detail = f"{self._account} as <{path}>"
            raise Refused(550, "5.7.1", "That sender's address is not yours", detail=detail)


_Counted: TypeAlias = tuple[Rate, str, str]
"""A rate, the key under which a client is counted, and what the log says of it."""


def _counted(server: SMTPServer, by_account: Rate, by_peers: _PeerRates) -> list[_Counted]:
    counted = []
    account = server.account
    if by_account and account is not None:
        counted.append((by_account, account, f"account {account}"))
    is_near = server.peer.is_near or server.is_proxy
    by_peer = by_peers.near if is_near else by_peers.elsewhere
    if by_peer:
        network = server.peer.network
        counted.append((by_peer, network, f"from {network or UNIX}"))
    return counted


class _PeerRates:
    """The rates of clients near and elsewhere: one `Rate` if the limit is the same."""

    __slots__ = ("elsewhere", "near")

    def __init__(self, limit: _LimitOfPeer, period: float) -> None:
        near, elsewhere = limit(is_near=True), limit(is_near=False)
        self.elsewhere = Rate(elsewhere, period)
        self.near = self.elsewhere if near == elsewhere else Rate(near, period)

    def __bool__(self) -> bool:
        return bool(self.near or self.elsewhere)


class _LimitOfPeer(Protocol):
    def __call__(self, *, is_near: bool) -> int: ...
