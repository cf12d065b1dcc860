"""Expanding aliases: from the recipients that a client names to those that get copies."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from mailproto._arguments import check_type, wrong_type
from mailproto.accounts import account_key, account_keys
from mailproto.awaiting import settle, turn
from mailproto.errors import MailError, RecipientUnknown, Refused, RelayDenied
from mailproto.interfaces import IAliases
from mailproto.model import Address, Parameters, Recipient
from mailproto.relay._alias_limits import AliasLimits
from mailproto.relay._places import Place, Places
from mailproto.relay._srs import SRS
from mailproto.smtp.wire import MAX_ORIGINAL_RECIPIENT, Notify, OriginalRecipient, rcpt_options

__all__ = ["A_TURN", "Copy", "Expander", "Expansion", "key_of"]

A_TURN = 50
"""After so many addresses, others have their turn: they take a millisecond or so."""


class Copy(NamedTuple):
    """A recipient that gets a copy, with the parameters for it, and where it goes."""

    recipient: Recipient
    place: Place


@dataclass(slots=True)
class Expansion:
    """What became of one recipient that the client named.

    :ivar copies: those that get the mail, each once.
    :ivar steps: each alias on the way, with its results.
    :ivar lists: the aliases among them with several results.
    """

    recipient: Recipient
    copies: list[Copy] = field(default_factory=list)
    steps: list[tuple[Address, tuple[Address, ...]]] = field(default_factory=list)
    lists: list[Recipient] = field(default_factory=list)

    @property
    def is_alias(self) -> bool:
        """Whether others get the mail."""
        return bool(self.steps)

    @property
    def leaves(self) -> bool:
        """Whether a copy goes to another server because of an alias."""
        return self.is_alias and any(isinstance(copy.place, str) for copy in self.copies)

    @property
    def error(self) -> MailError | None:
        """Why nobody gets a copy."""
        errors = [copy.place for copy in self.copies if isinstance(copy.place, MailError)]
        return errors[0] if len(errors) == len(self.copies) else None

    def refuse(self, error: MailError) -> None:
        """Nobody gets a copy."""
        self.copies = [Copy(self.recipient, error)]


class _Walk:
    """One recipient's way through the aliases."""

    def __init__(self, recipient: Recipient) -> None:
        self.expansion = Expansion(recipient)
        self.seen = {key_of(recipient.address)}
        self.own: set[str] = set()  # that have got copies in their own mailboxes


class Expander:
    """Expands recipients, each address once, so that aliases that lead to each other do no harm.

    :param srs: its addresses are aliases of the senders from which they were made.
    """

    def __init__(
        self, places: Places, aliases: IAliases | None, srs: SRS | None, limits: AliasLimits
    ) -> None:
        self._places = places
        self._aliases = aliases
        self._srs = srs
        self._limits = limits

    def may_change(self, recipients: Sequence[Recipient]) -> bool:
        """Whether one of them may be an alias; most servers have none, and lose no time."""
        if self._aliases is not None:
            return True
        return self._srs is not None and any(each.address.local[:3] in _SRS for each in recipients)

    async def expand(self, recipients: Sequence[Recipient]) -> list[Expansion]:
        """Expand the recipients of a message.

        :raises Refused: together they lead to too many addresses.
        """
        expansions, left = [], self._limits.per_message
        for number, recipient in enumerate(recipients, 1):
            if number % A_TURN == 0:
                await turn()
            walk = _Walk(recipient)
            try:
                await self._go(walk, recipient, 0)
            except _Stop as stop:
                walk.expansion.refuse(stop.error)
            expansion = walk.expansion
            if not expansion.copies:  # each alias led to another one
                expansion.refuse(Refused(554, "5.4.6", "The alias only leads to itself"))
            left -= len(walk.seen) + len(walk.own) - 1
            if left < 0:
                detail = f"the limit per_message is {self._limits.per_message}"
                text = "The recipients lead to too many addresses"
                raise Refused(554, "5.5.3", text, detail=detail)
            expansions.append(expansion)
        return expansions

    async def _go(self, walk: _Walk, recipient: Recipient, depth: int) -> None:
        path, expansion = recipient.address, walk.expansion
        if len(walk.seen) % A_TURN == 0:
            await turn()
        try:
            found, place = await self._look_up(path)
        except MailError as error:
            found, place = None, error
        if found is None:
            expansion.copies.append(Copy(recipient, place))
            return
        if depth >= self._limits.depth:
            detail = f"the limit depth is {self._limits.depth}"
            raise _Stop(Refused(554, "5.4.6", "The alias leads to too many others", detail=detail))
        expansion.steps.append((path, found))
        is_list = len(found) > 1
        if is_list:
            expansion.lists.append(recipient)
        parameters = _passed_on(recipient, is_list=is_list)
        own = frozenset(account_keys(path.local, path.domain))
        for address in found:
            await self._go_on(walk, Recipient(address, parameters), own, depth + 1)

    async def _go_on(self, walk: _Walk, recipient: Recipient, own: frozenset[str], depth: int) -> None:
        """Go to one of the results of an alias; ``own`` has the keys of the alias itself."""
        address = recipient.address
        key = key_of(address)
        is_own = not own.isdisjoint(account_keys(address.local, address.domain))
        done = walk.own if is_own else walk.seen
        if key in done:
            return
        done.add(key)
        if len(walk.seen) + len(walk.own) > self._limits.addresses + 1:
            detail = f"the limit addresses is {self._limits.addresses}"
            raise _Stop(Refused(554, "5.5.3", "The alias leads to too many addresses", detail=detail))
        if is_own:
            walk.expansion.copies.append(Copy(recipient, await self._places.find(address)))
        else:
            await self._go(walk, recipient, depth)

    async def _look_up(self, path: Address) -> tuple[tuple[Address, ...] | None, Place]:
        """Who gets the mail of an address; where it goes, if it has no alias.

        :raises MailError: nobody gets it.
        """
        if self._srs is not None and (sender := self._srs.restore(path)) is not None:
            return (sender,), ()
        if (found := await self._aliases_of(path, is_unknown=False)) is not None:
            return found, ()
        try:
            return None, await self._places.mailboxes(path)
        except (RecipientUnknown, RelayDenied) as error:
            if (found := await self._aliases_of(path, is_unknown=True)) is not None:
                return found, ()
            if isinstance(error, RelayDenied) and (destination := self._places.destination(path)):
                return None, destination
            raise

    async def _aliases_of(self, path: Address, *, is_unknown: bool) -> tuple[Address, ...] | None:
        if self._aliases is None:
            return None
        found: object = await settle(self._aliases.addresses_for(path, is_unknown))
        if found is None:
            return None
        takes = "a sequence of at least one Address, or None"
        if not isinstance(found, Sequence) or isinstance(found, (str, bytes)) or not found:
            raise wrong_type("the result of addresses_for", found, takes)
        for address in found:
            check_type("each result of addresses_for", address, Address, "an Address")
        return tuple(found)


_SRS = frozenset(a + b + c for a in "sS" for b in "rR" for c in "sS")


class _Stop(Exception):
    """A limit is reached."""

    def __init__(self, error: MailError) -> None:
        super().__init__(str(error))
        self.error = error


def key_of(address: Address) -> str:
    """What all spellings of an address have in common."""
    return account_key(f"{address.local}@{address.domain}")


def _passed_on(recipient: Recipient, *, is_list: bool) -> Parameters:
    """The parameters for the results of an alias (RFC 3461 5.2.7).

    One result stands for the alias, and gets them all.  Of several, no success is reported: the sender is
    told that the mail went to a list.
    """
    parameters = dict(recipient.parameters)
    if "ORCPT" not in parameters:
        text = str(recipient.address)
        original = str(OriginalRecipient("rfc822" if text.isascii() else "utf-8", text))
        if len(original) <= MAX_ORIGINAL_RECIPIENT and recipient.address.domain:
            parameters["ORCPT"] = original
    if is_list and parameters.get("NOTIFY"):
        with suppress(ValueError):
            notify = rcpt_options({"NOTIFY": parameters["NOTIFY"]}).notify or Notify.NEVER
            parameters["NOTIFY"] = str(notify & ~Notify.SUCCESS)
    return parameters
