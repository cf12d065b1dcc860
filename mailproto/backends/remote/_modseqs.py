"""Changes of a mailbox on a server with QRESYNC: the server's own modseqs (RFC 7162)."""

from __future__ import annotations

from array import array

from mailproto.backends.remote._checked import check_count, modseq_of, uid_validity_of
from mailproto.backends.remote._connections import Link
from mailproto.backends.remote._reading import columns_of, missing_among
from mailproto.errors import NoSuchMailbox
from mailproto.imap.values import MailboxCounts, UidSet
from mailproto.model import Changes, FlagColumns

__all__ = ["ServersModSeqs"]


class ServersModSeqs:
    """Asks the server for what has changed, and keeps nothing."""

    def forget(self, link: Link | None) -> None:
        """Nothing is kept."""

    async def counts(self, link: Link, name: str) -> MailboxCounts:
        """How much is in the mailbox."""
        return await link.client.status(
            name, "MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ", *_more(link)
        )

    async def changes(self, link: Link, name: str, modseq: int) -> Changes:
        """See `IMailbox.changes_since`."""
        # What changes after this answer may be told now, and is told next time in any case.
        counts = await link.client.status(name, "UIDVALIDITY", "HIGHESTMODSEQ")
        if uid_validity_of(counts.uid_validity) != uid_validity_of(link.selected.uid_validity):
            link.leave()
            raise NoSuchMailbox(detail=f"{name} has another UIDVALIDITY now")
        now = modseq_of(counts.modseq)
        if modseq == now:
            return Changes(FlagColumns(), (), now)
        if modseq > now:
            return await self._begin_again(link, now)
        await link.client.noop()  # a server need not tell of messages before it has told that they are there
        if modseq <= 0:
            found = link.client.fetch("1:*", "FLAGS", "MODSEQ")
            return Changes(await columns_of(found), (), now)
        found = link.client.fetch("1:*", "FLAGS", changed_since=modseq, vanished=True)
        changed = await columns_of(found, modseq=now)
        check_count(len(found.vanished))
        return Changes(changed, array("I", found.vanished), now)

    async def _begin_again(self, link: Link, now: int) -> Changes:
        """Tell everything: the server has lost its modseqs, as Dovecot has when its index is made anew."""
        await link.client.noop()
        all_of_them = await columns_of(link.client.fetch("1:*", "FLAGS", "MODSEQ"))
        return Changes(all_of_them, missing_among(all_of_them.uids), now)

    async def flags(self, link: Link, name: str, uids: UidSet) -> FlagColumns:
        """The flags of those messages that exist."""
        return await columns_of(link.client.fetch(uids, "FLAGS", "MODSEQ"))


def _more(link: Link) -> list[str]:
    has = link.client.capabilities
    items = ["SIZE"] if has & {"STATUS=SIZE", "IMAP4REV2"} else []
    return items + (["DELETED"] if "IMAP4REV2" in has else []) + (["MAILBOXID"] if "OBJECTID" in has else [])
