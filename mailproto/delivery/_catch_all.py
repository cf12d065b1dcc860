"""A catch-all for developers: whatever is sent to whomever arrives in one account."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from zope.interface import implementer

from mailproto._arguments import check_type, wrong_value
from mailproto._twisted_arguments import check_contract
from mailproto.accounts import check_account_name
from mailproto.awaiting import settle
from mailproto.content import Content, Octets
from mailproto.delivery._base import Delivery
from mailproto.delivery._mailboxes import delivered, refusal
from mailproto.delivery._return_path import with_return_path
from mailproto.errors import AccountExists, InvalidAccountName, MailError, NoSuchAccount
from mailproto.interfaces import IOwnership, IStore
from mailproto.model import Address, Envelope, Outcome, Placement

__all__ = ["CatchAllDelivery"]


@implementer(IOwnership)
class CatchAllDelivery(Delivery):
    """Puts every message into the INBOX of one account, whoever it is from and to.

    This is for developers: their programs can send to any address, nobody else gets anything, and the
    account shows what was sent.  A message is there once, however many recipients it has; at its top there
    is a Return-Path, and an ``X-Original-To`` (as Postfix writes it) for each recipient, also for those in
    Bcc.

    A signed-in account may send from any address.

    Whoever can connect can fill the account: let only clients on this machine connect.

    :param store: where the account is.
    :param account: ``NAME@DOMAIN``.  If the account is missing, it is made, without a password: no client
        can sign in to it until it gets one.
    """

    def __init__(self, store: IStore, account: str) -> None:
        check_contract("store", store, IStore)
        check_type("account", account, str, "an account's name, a str")
        try:
            check_account_name(account)
        except InvalidAccountName as error:
            takes = "an account's name such as 'dev@example.org'"
            raise wrong_value("account", account, takes, error.text) from None
        self._store = store
        self._account = account

    async def owns(self, account: str, path: Address) -> bool:
        """See `IOwnership.owns`: everybody owns every address."""
        return True

    async def deliver(self, envelope: Envelope, content: Octets) -> Sequence[Outcome]:
        """See `IDelivery.deliver`: all recipients have the same outcome."""
        placement = Placement(await self.ensure_account())
        fields = "".join(f"X-Original-To: {recipient.address}\r\n" for recipient in envelope.recipients)
        kept = with_return_path(envelope.sender, Content.of(content).prepend(fields.encode()))
        (result,) = await settle(self._store.deliver(kept, [placement]))
        outcome = refusal(result) if isinstance(result, MailError) else delivered(placement)
        return [outcome] * len(envelope.recipients)

    async def ensure_account(self) -> str:
        """Make the account if it is missing.

        :returns: its name as the store has it.
        :raises MailError: that is not possible.
        """
        directory = self._store.directory
        try:
            return await settle(directory.find(self._account))
        except NoSuchAccount:
            with contextlib.suppress(AccountExists):  # another process has just made it
                await settle(directory.add(self._account, ""))
            return await settle(directory.find(self._account))
