"""Final delivery: puts mail for our own domains and accounts into their INBOXes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from zope.interface import implementer

from mailproto._arguments import check_words
from mailproto._twisted_arguments import check_contract, check_optional_clock, provided
from mailproto.accounts import account_key, account_keys
from mailproto.awaiting import settle
from mailproto.content import Content, Octets
from mailproto.delivery._base import DELIVERED, Delivery
from mailproto.delivery._return_path import with_return_path
from mailproto.domains import canonical_domain, domain_fault
from mailproto.errors import (
    AccountExists,
    MailError,
    NoSuchAccount,
    OverQuota,
    RecipientUnknown,
    RelayDenied,
)
from mailproto.interfaces import IOwnership, IPlacing, IStore
from mailproto.interfaces.add_ons import IQuotas
from mailproto.model import Address, Envelope, Outcome, Parameters, Placement, Session
from mailproto.typing import ReactorTime

__all__ = ["MAX_CACHED", "TRUST", "MailboxDelivery"]

TRUST = 1.0
"""Seconds for which a found address is not looked up again."""

MAX_CACHED = 10_000
"""The most addresses in the cache."""

_POSTMASTER = "postmaster"
_ROLES = (_POSTMASTER, "abuse")
"""Local parts of the accounts that each domain has (RFC 5321 4.5.1, RFC 2142 2)."""


@implementer(IOwnership, IPlacing)
class MailboxDelivery(Delivery):
    """Puts mail into the INBOXes of a store's accounts, and refuses all other mail.

    - An account's own address is accepted, whether its domain is listed or not.
    - Any other address is unknown (550 5.1.1) in a listed domain, and refused as relaying (550 5.7.1) in a
      domain that is not listed.
    - Mail to ``alice+anything@`` goes to alice, unless an account of the whole name exists.
    - All spellings of names and domains are equal (`mailproto.accounts`): case, composition, a trailing
      dot, U-labels or A-labels.
    - Whoever is over quota gets no mail (452 4.2.2, so that the sender tries again): at RCPT if no message
      at all has room, or else for the message that has none (`mailproto.interfaces.add_ons.IQuotas`).
    - ``postmaster`` and ``abuse`` of a listed domain always exist (RFC 5321 4.5.1, RFC 2142 2). They are
      accounts without a password: no client can sign in to them until they get one. ``<Postmaster>``
      without a domain is the first domain's.

    It offers no service extensions but SMTPUTF8: IMAP and POP3 cannot serve binary content unchanged, no
    notifications of success are sent, and there is no queue that could honour a priority or a time.

    A found address is cached for `TRUST` seconds, because a busy sender names the same few again and
    again.  An address that was not found is looked up each time, so an account that another process creates
    gets mail at once.

    :param store: has the accounts; it must have been started before mail arrives.
    :param domains: at least one, the main one first: ``["example.org"]``.
    :param clock: measures the age of cached addresses; None for the system's monotonic clock.
    :raises TypeError: ``store`` lacks something of `IStore`, or ``domains`` is a str.
    :raises ValueError: there are no domains, or one is not valid.
    """

    def __init__(self, store: IStore, domains: Sequence[str], *, clock: ReactorTime | None = None) -> None:
        check_contract("store", store, IStore)
        check_words("domains", domains, "example.org")
        for domain in domains:
            if not domain.startswith("[") and (fault := domain_fault(domain)):
                raise ValueError(f"domains: {domain!r} {fault}")
        check_optional_clock("clock", clock)
        self._store = store
        self._first_domain = domains[0]
        self._domains = frozenset(map(canonical_domain, domains))
        self._seconds = time.monotonic if clock is None else clock.seconds
        self._known: dict[Address, tuple[str, float]] = {}
        self._quotas = provided(IQuotas, store)
        self._had_room: dict[str, float] = {}  # accounts, each until when it need not be looked at again

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.recipient`.

        :raises RecipientUnknown: the domain is ours, but the mailbox does not exist.
        :raises RelayDenied: the domain is not ours.
        :raises OverQuota: the mailbox is full.
        """
        try:
            account = await self._account_of(path)
        except RelayDenied:
            if session.account is None:
                raise
            raise RelayDenied("This server sends no mail to other domains") from None
        if self._quotas is not None:
            await self._check_room(self._quotas, account)

    async def place(self, path: Address) -> Sequence[Placement]:
        """See `IPlacing.place`: the account's INBOX."""
        return (Placement(await self._account_of(path)),)

    async def owns(self, account: str, path: Address) -> bool:
        """See `IOwnership.owns`: an account owns every address whose mail it receives."""
        try:
            return account_key(await self._account_of(path)) == account_key(account)
        except (RecipientUnknown, RelayDenied):
            return False

    async def deliver(self, envelope: Envelope, content: Octets) -> Sequence[Outcome]:
        """See `IDelivery.deliver`: each account gets one copy, however many of its addresses were named.

        Each copy has exactly one Return-Path, from this server (RFC 5321 4.4).
        """
        names: list[str | MailError] = []
        for recipient in envelope.recipients:
            try:
                names.append(await self._account_of(recipient.address))
            except MailError as error:  # deleted since RCPT
                names.append(error)
        accounts = list(dict.fromkeys(name for name in names if isinstance(name, str)))
        placements = [Placement(account) for account in accounts]
        kept = with_return_path(envelope.sender, Content.of(content))
        results = await settle(self._store.deliver(kept, placements)) if accounts else ()
        answers = {
            placement.account: refusal(result) if isinstance(result, MailError) else delivered(placement)
            for placement, result in zip(placements, results, strict=True)
        }
        return [answers[name] if isinstance(name, str) else refusal(name) for name in names]

    async def ensure_role_accounts(self) -> None:
        """Create the missing postmaster and abuse accounts of each domain."""
        for domain in sorted(self._domains):
            for role in _ROLES:
                await self._account_of(Address(role, domain))

    async def _check_room(self, quotas: IQuotas, account: str) -> None:
        now = self._seconds()
        if now < self._had_room.get(account, now):
            return
        quota = await settle(quotas.quota_of(account))
        if not quota.takes_mail:
            raise OverQuota("Mailbox full: over quota")
        if len(self._had_room) >= MAX_CACHED:
            self._had_room.clear()
        self._had_room[account] = now + TRUST

    async def _account_of(self, address: Address) -> str:
        """The name of the account that receives mail for an address."""
        known = self._known.get(address)
        now = self._seconds()
        if known is not None and now < known[1]:
            return known[0]
        name = await self._look_up(address)
        if len(self._known) >= MAX_CACHED:
            self._known.clear()
        self._known[address] = (name, now + TRUST)
        return name

    async def _look_up(self, address: Address) -> str:
        role = account_key(address.local)
        domain = address.domain or (self._first_domain if role == _POSTMASTER else "")
        for key in account_keys(address.local, domain):
            with contextlib.suppress(NoSuchAccount):
                return await settle(self._store.directory.find(key))
        if canonical_domain(domain) not in self._domains:
            raise RelayDenied
        if role not in _ROLES:
            raise RecipientUnknown
        return await self._make_role(f"{role}@{canonical_domain(domain)}")

    async def _make_role(self, name: str) -> str:
        with contextlib.suppress(AccountExists):  # another process has just created it
            await settle(self._store.directory.add(name, ""))
        return name


@lru_cache(MAX_CACHED)
def delivered(placement: Placement) -> Outcome:
    """The detail tells the log where the message is."""
    return replace(DELIVERED, detail=f"{placement.account}/{placement.mailbox}")


def refusal(error: MailError) -> Outcome:
    return Outcome(error.code, error.enhanced, error.text, error.detail)
