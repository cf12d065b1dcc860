"""Making what is added to the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf

from mailproto.awaiting import turn
from mailproto.content import Content
from mailproto.delivery._return_path import return_path, with_return_path
from mailproto.errors import MailError, OverQuota
from mailproto.model import Address, Envelope, NewQueued, Placement, Recipient
from mailproto.relay._delivered_to import delivered_to
from mailproto.relay._expansion import A_TURN, Copy, Expansion, key_of
from mailproto.relay._forms import Forms
from mailproto.relay._places import Place
from mailproto.relay._srs import SRS
from mailproto.smtp.wire import DeliverBy, mail_options

__all__ = ["Maker", "grouped"]


@dataclass(slots=True)
class _Group:
    """Copies with the same octets and the same reverse-path.

    :ivar alias: because of which they leave; None for those without one, and those for mailboxes here.
    """

    alias: Address | None = None
    copies: list[Copy] = field(default_factory=list)


async def grouped(expansions: Sequence[Expansion]) -> list[_Group]:
    """The copies of a message, each once.

    Mail that an alias sends on is a message of its own, with the alias in it (Delivered-To): who gets it
    learns nothing of other recipients.
    """
    first = _Group()
    groups = [first]
    here: set[Placement] = set()
    elsewhere: set[str] = set()
    done = 0
    for expansion in sorted(expansions, key=lambda each: each.is_alias):
        group = first
        if expansion.leaves:
            group = _Group(expansion.recipient.address)
            groups.append(group)
        for copy in expansion.copies:
            done += 1
            if done % (10 * A_TURN) == 0:
                await turn()
            if isinstance(copy.place, str):
                key = key_of(copy.recipient.address)
                if key in elsewhere:
                    continue
                elsewhere.add(key)
            elif not isinstance(copy.place, MailError):
                left = tuple(each for each in copy.place if each not in here)
                here.update(left)
                if expansion.is_alias and not left:
                    continue
                copy = copy._replace(place=left)
            elif expansion.is_alias or isinstance(copy.place, OverQuota):
                continue
            group.copies.append(copy)
    return [group for group in groups if group.copies]


class Maker:
    """Makes `NewQueued`.

    :param lifetime: seconds for which a message is tried.
    :param delay_notice: seconds after which its sender is told that it is late; 0 for never.
    """

    def __init__(self, lifetime: float, delay_notice: float, srs: SRS | None) -> None:
        self._lifetime = lifetime
        self._delay_notice = delay_notice
        self._srs = srs

    def make(
        self, envelope: Envelope, forms: Forms, places: Sequence[Place], *, now: float, may_hurry: bool
    ) -> list[NewQueued]:
        """What a client sends: to each recipient once, however often he was named.

        :param places: one for each of the envelope's recipients.
        :param may_hurry: whether it may be urgent.
        :raises MailError: one of the recipients has no place.
        """
        recipients = envelope.recipients
        if len(recipients) > 1:
            named = [
                (str(index) if isinstance(place, tuple) else key_of(recipient.address), index)
                for index, (recipient, place) in enumerate(zip(recipients, places, strict=True))
            ]
            chosen = sorted(dict(reversed(named)).values())
            if len(chosen) < len(recipients):
                envelope = replace(envelope, recipients=tuple(recipients[index] for index in chosen))
                places = [places[index] for index in chosen]
        return self._make(envelope, envelope.sender, forms, places, now, may_hurry)

    def make_group(
        self,
        envelope: Envelope,
        forms: Forms,
        group: _Group,
        *,
        now: float,
        may_hurry: bool,
        is_from_here: bool,
    ) -> list[NewQueued]:
        """What a client or an alias sends.

        :param is_from_here: whether the sender's address belongs here.
        :raises MailError: one of the recipients has no place.
        """
        recipients: tuple[Recipient, ...] = tuple(copy.recipient for copy in group.copies)
        sender, shown = envelope.sender, envelope.sender
        if group.alias is not None:
            forms = forms.prepended(delivered_to(group.alias))
            if self._srs is not None and not is_from_here:
                sender = self._srs.rewrite(sender, group.alias.domain)
        envelope = replace(envelope, sender=sender, recipients=recipients)
        return self._make(envelope, shown, forms, [copy.place for copy in group.copies], now, may_hurry)

    def _make(
        self,
        envelope: Envelope,
        sender: Address,
        forms: Forms,
        places: Sequence[Place],
        now: float,
        may_hurry: bool,
    ) -> list[NewQueued]:
        """:param sender: as mailboxes here show it."""
        if forms.kept is forms.sent:
            return [self._one(envelope, sender, forms.sent, places, now, may_hurry)]
        made = []
        for content, kind in ((forms.kept, tuple), (forms.sent, str)):
            chosen = [index for index, place in enumerate(places) if isinstance(place, (kind, MailError))]
            if chosen:
                part = replace(envelope, recipients=tuple(envelope.recipients[index] for index in chosen))
                given = [places[index] for index in chosen]
                made.append(self._one(part, sender, content, given, now, may_hurry))
        return made

    def _one(
        self,
        envelope: Envelope,
        sender: Address,
        content: Content,
        places: Sequence[Place],
        now: float,
        may_hurry: bool,
    ) -> NewQueued:
        placements: dict[Placement, None] = {}
        destinations: list[str | None] = []
        for place in places:
            if isinstance(place, MailError):
                raise place
            destinations.append(place if isinstance(place, str) else None)
            if not isinstance(place, str):
                placements.update(dict.fromkeys(place))
        session, options = envelope.session, mail_options(envelope.parameters)
        due = now if options.hold_for is None else now + options.hold_for
        due = due if options.hold_until is None else options.hold_until
        return NewQueued(
            content=with_return_path(sender, content) if placements else content,
            envelope=envelope,
            destinations=tuple(destinations),
            arrived=now,
            expires=self._expires(options.deliver_by, now, due),
            placements=tuple(placements),
            skip=len(return_path(sender)) if placements else 0,
            due=due,
            priority=min(options.priority or 0, 9 if may_hurry else 0),
            share=session.account or session.peer,
            notice=self._notice(options.deliver_by, now, due),
        )

    def _expires(self, by: DeliverBy | None, now: float, due: float) -> float:
        """When a message is given up: at its deadline, if it is to be returned then (RFC 2852)."""
        expires = max(now, due) + self._lifetime
        return expires if by is None or not by.returned else min(expires, now + max(by.seconds, 0))

    def _notice(self, by: DeliverBy | None, now: float, due: float) -> float:
        """When the sender is told that a message is late: at its deadline, if he wants to be told then."""
        late = max(now, due) + self._delay_notice if self._delay_notice else inf
        if by is not None and not by.returned:
            late = min(late, now + max(by.seconds, 0))
        return 0.0 if late == inf else late
