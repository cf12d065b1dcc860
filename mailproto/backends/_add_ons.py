"""What our own stores provide beside the contracts that every store has."""

from __future__ import annotations

from mailproto.interfaces import IObjectIds, IRecent
from mailproto.interfaces.add_ons import (
    IAccessControl,
    IAccessKeys,
    IAnnotations,
    IFinding,
    IMailboxChanges,
    INearWords,
    IQuota,
    IReplacing,
    ISaveDates,
)

__all__ = ["ADD_ONS"]

ADD_ONS = frozenset(
    {
        IAccessControl,
        IAccessKeys,
        IAnnotations,
        IFinding,
        IMailboxChanges,
        INearWords,
        IObjectIds,
        IQuota,
        IRecent,
        IReplacing,
        ISaveDates,
    }
)
"""All add-ons of accounts and mailboxes: the memory store and the SQLite store have the same."""
