"""Annotations: what users note about mailboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result

__all__ = ["IAnnotations"]


@contract
class IAnnotations(Contract, metaclass=ContractClass):
    """An IAccount that keeps annotations of its mailboxes and of the server (METADATA, RFC 5464).

    Each is an entry with a value of octets.  Names begin with ``/private/`` (only this account sees it) or
    ``/shared/`` (all see it who may read the mailbox), and are compared without case: results have them in
    lower case.  The annotations of the server have the mailbox name ``""``; clients can only change private
    ones there.  Filters (RFC 5466) are annotations of the server.

    A mailbox keeps its annotations when it is renamed (if it is INBOX, the new mailbox has copies), and loses
    them when it is deleted.  A change has a modseq of the account (`IAccount.watch`), which is its mailbox's
    now, too (RFC 7162 3.2); `IMailboxChanges` tells which entries changed.
    """

    def annotations(
        self, mailbox: str, entries: Sequence[str], depth: int | None = 0
    ) -> Result[Mapping[str, bytes]]:
        """The values of those of ``entries`` that have one, by name (RFC 5464 4.2).

        :param depth: 0 for just these, 1 for those directly below, too, None for all that are below.
            ``/private`` and ``/shared`` themselves have no value.
        :raises NoSuchMailbox: there is no such mailbox.
        :raises InvalidAnnotation: a name cannot be one.
        """

    def annotate(self, mailbox: str, values: Mapping[str, bytes | None]) -> Result[None]:
        """Set the values of entries, all or none; None removes one (RFC 5464 4.3).

        :raises NoSuchMailbox: there is no such mailbox.
        :raises InvalidAnnotation: a name cannot be one.
        :raises AnnotationTooLarge: a value has too many octets; ours may have
            `mailproto.backends.MAX_ANNOTATION_OCTETS`.
        :raises TooManyAnnotations: the account would have too many.
        :raises NoPermission: this account may not change that.
        """
