"""What becomes of mailboxes that were on both sides and are not any more: of renamed and of removed ones.

A renamed mailbox is known by its permanent id (RFC 8474).  Without one, it is that in which what was mirrored
last has the same UID, and is octet for octet what the other side has, if there is only one such; UIDVALIDITY
may be new (Courier).  Otherwise it is a removed mailbox and a new one, which loses nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine
from itertools import product
from typing import Any, Literal, TypeAlias

from mailproto.client.errors import ClientError, CommandRefused, ConnectionLost
from mailproto.errors import MailError
from mailproto.mirroring._account_sides import AccountSide, Identity, ListedMailbox
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._exchanged import displaced, names_now
from mailproto.mirroring._names import free_name
from mailproto.mirroring._pairs import Lists, listed_of
from mailproto.mirroring._removing import finish_removal, remove_mailbox
from mailproto.mirroring._report import MirrorFailure, MirrorReport
from mailproto.mirroring._same_account import is_same_account
from mailproto.mirroring._sides import MirrorError
from mailproto.mirroring._state import Mirrored, MirrorState
from mailproto.model import INBOX

__all__ = ["ChangedNames", "Gone"]

Gone: TypeAlias = Literal["keep", "remove", "restore"]
"""What to do with a mailbox that is gone from one side."""

_CANDIDATES = 20
"""Mailboxes among which a renamed one is looked for, if it has no permanent id."""

_COMPARED = 5
"""Messages that are looked for, one after the other, in a mailbox that may be a renamed one."""


class ChangedNames:
    """Brings the changes of names to the other side.

    :ivar lists: the mailboxes of both sides, when `settle` has ended.
    """

    lists: Lists

    def __init__(
        self,
        accounts: tuple[AccountSide, AccountSide],
        states: MirrorState,
        *,
        both: bool,
        gone: Gone,
        dry_run: bool,
        breather: Breather,
        report: MirrorReport,
    ) -> None:
        self._accounts = accounts
        self._states = states
        self._both = both
        self._gone = gone
        self._dry_run = dry_run
        self._breather = breather
        self._report = report
        self._moves: list[tuple[int, str, str]] = []  # side, old and new beginning of a name
        self._identities: dict[tuple[int, str], Identity | None] = {}
        self._avoided: tuple[set[str], set[str]] = (set(), set())  # this run could not compare these
        self._is_same = [False, False]  # whether an account is known to be the one that was mirrored before

    async def settle(self, only: Collection[str] | None, *, compare: bool = False) -> None:
        """Do that, for all mailboxes or for those with some names at the source.

        :param compare: whether to look behind all names, because some have been exchanged.
        :raises MailError: a list of mailboxes cannot be read.
        """
        self._identities.clear()
        await self._list()
        for known in self._states.mirrored():
            if known.removing and not self._dry_run:
                await self._trying(known, self._go_on_removing(known))
        for side in (0, 1):
            self._is_same[side] = await self._is_same_account(side)
        if compare or await self._may_be_exchanged(0) or await self._may_be_exchanged(1):
            await self._exchanged()
        # Superiors come first, because a rename takes inferiors along.
        for known in sorted(self._states.mirrored(), key=lambda known: len(known.names[0])):
            if self._lacks(known) and (only is None or known.names[0] in only):
                await self._trying(known, self._renamed(known.id))
        # Inferiors come first, because a mailbox with inferiors is not removed.
        for known in reversed(self._states.mirrored()):
            if self._lacks(known) and (only is None or known.names[0] in only):
                await self._trying(known, self._missing(known))

    async def _list(self) -> None:
        self.lists = await listed_of(self._accounts, self._report)
        for listed, avoided in zip(self.lists, self._avoided, strict=True):
            for name in avoided & listed.keys():
                del listed[name]

    def _lacks(self, known: Mirrored) -> bool:
        """Whether a mailbox is not listed on a side."""
        return any(name not in listed for name, listed in zip(known.names, self.lists, strict=True))

    async def _trying(self, known: Mirrored, step: Coroutine[Any, Any, object]) -> None:
        """What cannot be done with one mailbox does not concern the others."""
        try:
            await step
        except CommandRefused as error:
            self._failed(known, error)
        except ClientError:
            raise
        except (MailError, MirrorError) as error:
            self._failed(known, error)

    def _failed(self, known: Mirrored, error: Exception) -> None:
        self._report.failures.append(MirrorFailure(known.names[0], None, str(error)))

    # -- accounts made anew

    async def _is_same_account(self, side: int) -> bool:
        """Whether what is not there was removed.

        What an account made anew lacks is forgotten: for these mailboxes this run is the first one.  So they
        are safe in the next runs, too, which know the new INBOX.
        """
        mirrored = self._states.mirrored()
        missing = [known for known in mirrored if known.names[side] not in self.lists[side]]
        if not missing:
            return True

        async def identity(known: Mirrored) -> Identity | None:
            found: list[Identity | None] = []

            async def find() -> None:
                found.append(await self._identity(side, known.names[side]))

            await self._trying(known, find())
            if not found:
                self._avoided[side].add(known.names[side])
                await self._list()
                return None
            return found[0]

        same = await is_same_account(side, mirrored, dict(self.lists[side]), identity)
        if same is False:
            for known in missing:
                await self._trying(known, self._is_gone(side, known))  # if it is there, it is listed now
                if known.names[side] not in self.lists[side]:
                    self._states.forget(known.id)
        return bool(same)

    # -- exchanged names

    async def _may_be_exchanged(self, side: int) -> bool:
        """Whether a missing mailbox may have the name of another one now, or a new name is a known one's."""
        mirrored, listed = self._states.mirrored(), self.lists[side]
        names = {each.names[side] for each in mirrored}
        new = [name for name in listed if name not in names]
        if not names.issubset(listed) and (self._gone != "keep" or new):
            return True
        ids = {each.identity[side] for each in mirrored} - {""}
        for name in new if ids else ():
            found = await self._identity(side, name)
            if found is not None and found.id in ids:
                return True
        return False

    async def _exchanged(self) -> None:
        """Let each pair have the names that its mailboxes have now, if one has the name of another."""
        mirrored = self._states.mirrored()
        now = [await names_now(side, mirrored, [*self.lists[side]], self._identity) for side in (0, 1)]
        others = [displaced(side, mirrored, self.lists[side], now[side]) for side in (0, 1)]
        if not any(others):
            return
        moved = {
            known.id: [now[side].get(known.id, name) != name for side, name in enumerate(known.names)]
            for known in mirrored
        }
        for side in (0, 1):
            for known in others[side]:
                if known.id not in now[side] and known.id in moved:  # removed: what is left is as if new
                    self._states.forget(known.id)
                    del moved[known.id]
        self._states.rename_all(
            {
                known.id: (now[0].get(known.id, known.names[0]), now[1].get(known.id, known.names[1]))
                for known in mirrored
                if known.id in moved
            }
        )
        waiting = [known.id for known in mirrored if sum(moved.get(known.id, ())) == 1]
        while waiting:  # those first whose new name nobody has
            free = [id_ for id_ in waiting if await self._has_followed(id_, 1 if moved[id_][0] else 0)]
            if not free:
                return  # in a circle: they stay pairs with two names
            waiting = [id_ for id_ in waiting if id_ not in free]

    async def _has_followed(self, id_: int, side: int) -> bool:
        """Give a mailbox its new name on the other side; False if that is taken by now."""
        [known] = [each for each in self._states.mirrored() if each.id == id_]
        levels = self.lists[1 - side][known.names[1 - side]].levels
        wanted = self._accounts[side].name_of(levels)
        if side == 0 and not self._both:
            return True
        if wanted in self.lists[side] and wanted != known.names[side]:
            return False
        try:
            self._states.rename(id_, await self._follow(side, known, known.names))
        except ConnectionLost:
            raise
        except MailError as error:
            self._failed(known, error)
        return True

    # -- renamed mailboxes

    async def _renamed(self, id_: int) -> None:
        # Read again, because a superior may have taken it along.
        [known] = [each for each in self._states.mirrored() if each.id == id_]
        choices = product(await self._candidates(0, known), await self._candidates(1, known))
        found = [names for names in choices if await self._are_the_same(known, names)]
        if len(found) != 1:
            return
        names = found[0]
        moved = [name != old for name, old in zip(names, known.names, strict=True)]
        for side, (old, new) in enumerate(zip(known.names, names, strict=True)):
            delimiter = self._accounts[side].delimiter
            self._moves.append((side, old + delimiter, new + delimiter))
        if not all(moved):
            side = 1 if moved[0] else 0
            if side == 1 or self._both:
                try:
                    names = await self._follow(side, known, names)
                except ConnectionLost:
                    raise
                except MailError as error:  # then it keeps its name there
                    self._failed(known, error)
        self._states.rename(known.id, names)

    async def _candidates(self, side: int, known: Mirrored) -> list[str]:
        """The names that a mailbox may have on one side now; none if it is not there."""
        if not await self._is_gone(side, known):
            return [known.names[side]]
        names = {each.names[side] for each in self._states.mirrored()}
        new = [name for name in self.lists[side] if name not in names and name != INBOX]
        found = [(name, await self._identity(side, name)) for name in new]
        same = [name for name, identity in found if identity and _may_be(known, side, identity)]
        for moved, old, there in self._moves:  # with a superior
            name = there + known.names[side].removeprefix(old)
            if moved == side and known.names[side].startswith(old) and name in same:
                return [name]
        return same if len(same) <= _CANDIDATES else []

    async def _identity(self, side: int, name: str) -> Identity | None:
        key = side, name
        if key not in self._identities:
            self._identities[key] = await self._accounts[side].identity(name)
        return self._identities[key]

    async def _are_the_same(self, known: Mirrored, names: tuple[str, str]) -> bool:
        """Whether mailboxes that are called otherwise now are the known ones."""
        for side, name in enumerate(names):
            if name != known.names[side]:
                identity = await self._identity(side, name)
                if not (known.identity[side] and identity is not None and identity.id):
                    return await self._have_the_last(known, names)
        return True

    async def _have_the_last(self, known: Mirrored, names: tuple[str, str]) -> bool:
        """Whether both have what was mirrored last, as far as that is still on both sides."""
        sides = [await self._accounts[side].side(name, read_only=True) for side, name in enumerate(names)]
        for uids in self._states.last_pairs(known.id, _COMPARED):
            digests: list[bytes] = []
            for mailbox, uid in zip(sides, uids, strict=True):
                await mailbox.open()
                contents = [message.content async for message in mailbox.read([uid])]
                if contents and contents[0] is not None:
                    digests.append(await self._breather.digest(contents[0]))
            if len(digests) == 2:
                return digests[0] == digests[1]
        return False

    async def _follow(self, side: int, known: Mirrored, names: tuple[str, str]) -> tuple[str, str]:
        """Give a mailbox of one side the name that it has on the other one now; the names afterwards."""
        account, old = self._accounts[side], known.names[side]
        if old not in self.lists[side]:
            return names
        levels = self.lists[1 - side][names[1 - side]].levels
        taken = {*self.lists[side], *(each.names[side] for each in self._states.mirrored())} - {old}
        new = free_name(account.name_of(levels), taken)
        if new == old:
            return names
        self._report.renamed.append((old, new))
        if self._dry_run:
            return names
        was_subscribed = self.lists[side][old].is_subscribed
        await account.rename(old, new)
        if was_subscribed:
            await account.subscribe(old, False)
            await account.subscribe(new, True)
        self._take_along(side, old + account.delimiter, new + account.delimiter)
        self._identities = {key: found for key, found in self._identities.items() if key[0] != side}
        await self._list()
        return (new, names[1]) if side == 0 else (names[0], new)

    def _take_along(self, side: int, old: str, new: str) -> None:
        """The inferiors of a mailbox were renamed with it."""
        for each in self._states.mirrored():
            if each.names[side].startswith(old) and self._accounts[side].delimiter:
                name = new + each.names[side].removeprefix(old)
                self._states.rename(each.id, (name, each.names[1]) if side == 0 else (each.names[0], name))

    # -- removed mailboxes

    async def _is_gone(self, side: int, known: Mirrored) -> bool:
        """Whether a mailbox is not there any more; one that is not listed may be there."""
        name = known.names[side]
        if name in self.lists[side] or name == INBOX:
            return False
        if await self._accounts[side].identity(name) is None:
            return True
        levels = name.split(self._accounts[side].delimiter or "\0")
        self.lists[side][name] = ListedMailbox(name, tuple(levels))
        return False

    async def _missing(self, known: Mirrored) -> None:
        gone = [await self._is_gone(side, known) for side in (0, 1)]
        if not any(gone):
            return
        if all(gone):
            self._states.forget(known.id)
            return
        side = 1 if gone[0] else 0  # where it is
        name = known.names[side]
        identity = await self._accounts[side].identity(name)
        if identity is not None and not _is(known, side, identity):
            self._states.forget(known.id)  # another mailbox of this name
        elif self._gone == "restore" and (side == 0 or self._both):
            self._states.forget(known.id)
        elif self._gone == "remove" and (side == 1 or self._both) and await self._removed(side, known):
            self._report.deleted.append(name)
        elif name not in self._report.left_out:
            self._report.left_out.append(name)

    async def _removed(self, side: int, known: Mirrored) -> bool:
        account, name = self._accounts[side], known.names[side]
        if not self._is_same[1 - side] or INBOX not in self.lists[1 - side]:
            return False  # another account, or a list that is not whole: INBOX is always there
        inferior = name + account.delimiter
        if any(each.startswith(inferior) for each in self.lists[side]):
            return False
        if self._dry_run:
            self._states.forget(known.id)
        elif not await remove_mailbox(account, side, known, self._states, self._breather):
            return False
        del self.lists[side][name]
        return True

    async def _go_on_removing(self, known: Mirrored) -> None:
        """An earlier run has ended while it removed a mailbox."""
        for side, account in enumerate(self._accounts):
            if known.removing in self.lists[side]:
                if await finish_removal(account, side, known, self._states, self._breather):
                    self._report.deleted.append(known.names[side])
                await self._list()
                return
        self._states.note_removing(known.id, "")


def _may_be(known: Mirrored, side: int, identity: Identity) -> bool:
    """Whether a mailbox of another name may be the known one."""
    return not (known.identity[side] and identity.id) or known.identity[side] == identity.id


def _is(known: Mirrored, side: int, identity: Identity) -> bool:
    """Whether a mailbox of the same name is the known one."""
    if known.identity[side] and identity.id:
        return known.identity[side] == identity.id
    return identity.validity != 0 and identity.validity == known.validity[side]
