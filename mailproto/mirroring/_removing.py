"""Removes a mailbox that is gone from the other side, and no mail with it that was not on both.

Between a look into a mailbox and DELETE, which removes whatever is there, mail may be put into it.  So it
gets another name first, under which nobody knows it; then it is looked at again.  If there is mail that was
never on both sides, it gets its name back.  The state has the other name from before it is given, so that
this may be interrupted at any instant.
"""

from __future__ import annotations

import secrets

from mailproto.client.errors import ConnectionLost
from mailproto.errors import MailError
from mailproto.mirroring._account_sides import AccountSide
from mailproto.mirroring._breathing import Breather
from mailproto.mirroring._sides import BATCH, MirrorError
from mailproto.mirroring._state import Mirrored, MirrorState

__all__ = ["finish_removal", "has_only_known", "remove_mailbox"]


async def has_only_known(
    account: AccountSide, side: int, name: str, known: Mirrored, states: MirrorState, breather: Breather
) -> bool:
    """Whether all messages of a mailbox were on both sides once."""
    mailbox = await account.side(name, read_only=True)
    await mailbox.open()
    if not mailbox.uid_validity or mailbox.uid_validity != known.validity[side]:
        return False
    async for rows in mailbox.changes(0):
        for at in range(0, len(rows), BATCH):
            uids = {uid for uid, _ in rows[at : at + BATCH]}
            if not uids.issubset(states.known_uids(known.id, side, min(uids), max(uids))):
                return False
        await breather.breathe()
    return True


async def remove_mailbox(
    account: AccountSide, side: int, known: Mirrored, states: MirrorState, breather: Breather
) -> bool:
    """Remove a mailbox without inferiors.

    :returns: whether it is gone; otherwise it has mail of its own.
    :raises MailError: it could not be removed.
    """
    name = known.names[side]
    if not await has_only_known(account, side, name, known, states, breather):
        return False
    aside = account.name_of((f"mailproto removes {secrets.token_hex(4)}",))
    states.note_removing(known.id, aside)
    await account.rename(name, aside)
    return await finish_removal(account, side, known._replace(removing=aside), states, breather)


async def finish_removal(
    account: AccountSide, side: int, known: Mirrored, states: MirrorState, breather: Breather
) -> bool:
    """Remove a mailbox that has its other name already, or give its own name back."""
    if await has_only_known(account, side, known.removing, known, states, breather):
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
