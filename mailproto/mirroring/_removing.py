"""Removes a mailbox that is gone from the other side, and no mail with it that was not on both.

Between a look into a mailbox and DELETE, which removes whatever is there, mail may be put into it.  So it
gets another name first, under which nobody knows it; then it is looked at again.  If there is mail that was
never on both sides, it gets its name back.  The state has the other name from before it is given, so that
this may be interrupted at any instant.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from mailproto.client.errors import ConnectionLost
from mailproto.errors import MailError
from mailproto.mirroring._account_sides import AccountSide
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._sides import BATCH, MirrorError
from mailproto.mirroring._state import Mirrored, MirrorState

__all__ = ["finish_removal", "has_only_known", "remove_mailbox"]


class Counted(NamedTuple):
    """How many messages a mailbox has, and a UID that is greater than all of theirs."""

    messages: int
    uid_next: int


async def has_only_known(
    account: AccountSide,
    side: int,
    name: str,
    known: Mirrored,
    states: MirrorState,
    breather: Breather,
    before: Counted | None = None,
) -> Counted | None:
    """How many messages a mailbox has, if all of them were on both sides once; otherwise None.

    :param before: what it had a moment ago, under its own name.  Some servers (Courier) give it a new
        UIDVALIDITY with a new name; the UIDs mean the same if none has come.
    """
    mailbox = await account.side(name, read_only=True)
    await mailbox.open()
    is_known = mailbox.uid_validity and mailbox.uid_validity == known.validity[side]
    if not is_known and before is None:
        return None
    count = 0
    async for rows in mailbox.changes(0):
        count += len(rows)
        for at in range(0, len(rows), BATCH):
            uids = {uid for uid, _ in rows[at : at + BATCH]}
            if not uids.issubset(states.known_uids(known.id, side, min(uids), max(uids))):
                return None
        await breather.breathe()
    counted = Counted(count, mailbox.uid_next)
    return counted if is_known or counted == before else None


async def remove_mailbox(
    account: AccountSide, side: int, known: Mirrored, states: MirrorState, breather: Breather
) -> bool:
    """Remove a mailbox without inferiors.

    :returns: whether it is gone; otherwise it has mail of its own.
    :raises MailError: it could not be removed.
    """
    name = known.names[side]
    before = await has_only_known(account, side, name, known, states, breather)
    if before is None:
        return False
    aside = account.name_of((f"mailproto removes {secrets.token_hex(4)}",))
    states.note_removing(known.id, aside)
    await account.rename(name, aside)
    return await finish_removal(account, side, known._replace(removing=aside), states, breather, before)


async def finish_removal(
    account: AccountSide,
    side: int,
    known: Mirrored,
    states: MirrorState,
    breather: Breather,
    before: Counted | None = None,
) -> bool:
    """Remove a mailbox that has its other name already, or give its own name back.

    :param before: see `has_only_known`; None if an earlier run gave it the other name.
    """
    if await has_only_known(account, side, known.removing, known, states, breather, before):
        await account.delete(known.removing)
        states.forget(known.id)
        return True
    try:
        await account.rename(known.removing, known.names[side])
    except ConnectionLost:
        raise
    except MailError as error:  # the name may be taken: then it is a mailbox like any other
        states.note_removing(known.id, "")
        raise MirrorError(f"it is not removed, and called {known.removing} now: {error}") from error
    states.note_removing(known.id, "")
    return False
