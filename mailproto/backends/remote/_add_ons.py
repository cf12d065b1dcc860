"""Quotas and annotations of an account on another server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from mailproto.backends.remote._checked import check_count, is_entry, octets_in
from mailproto.backends.remote._connections import Link
from mailproto.errors import InvalidAnnotation, NoPermission, NoSuchQuotaRoot
from mailproto.model import INBOX, Quota, QuotaLimits, QuotaUse

if TYPE_CHECKING:
    from mailproto.backends.remote._names import NameMap

__all__ = ["Annotations", "Part", "Quotas"]

T = TypeVar("T")

_UNPRINTABLE = re.compile(r"[^ -~]")


class Part:
    """What the parts of an account use."""

    names: NameMap

    async def run(self, work: Callable[[Link], Awaitable[T]], mailbox: str | None = None) -> T:
        """Call a function with a connection."""
        raise NotImplementedError


class Quotas(Part):
    """`IQuota`, from the other server's QUOTA (RFC 9208)."""

    async def quota_roots(self, mailbox: str) -> Sequence[str]:
        """See `IQuota.quota_roots`."""
        found = await self.run(lambda link: link.client.quota(self.names.theirs(mailbox)))
        return [each.name for each in found if not _UNPRINTABLE.search(each.name)]

    async def quota(self, root: str) -> Quota:
        """See `IQuota.quota`: of the roots that INBOX counts for."""
        for each in await self.run(lambda link: link.client.quota(INBOX)):
            if each.name == root:
                used = each.resources
                return Quota(
                    root,
                    _use(used.get("STORAGE"), 1024),
                    _use(used.get("MESSAGE")),
                    _use(used.get("MAILBOX")),
                )
        raise NoSuchQuotaRoot

    async def set_quota(self, root: str, limits: QuotaLimits) -> Quota:
        """Refused: :raises NoPermission:"""
        raise NoPermission

    async def deleted_storage(self, mailbox: str) -> int:
        """See `IQuota.deleted_storage`."""

        async def work(link: Link) -> int:
            await link.client.noop()
            marked = (await link.client.search("DELETED")).uids
            check_count(len(marked))
            found = link.client.fetch(marked, "RFC822.SIZE")
            return sum({each.uid: octets_in(each.size) async for each in found}.values())

        return await self.run(work, self.names.theirs(mailbox))


def _use(pair: tuple[int, int] | None, unit: int = 1) -> QuotaUse:
    return QuotaUse(0) if pair is None else QuotaUse(pair[0] * unit, pair[1] * unit)


class Annotations(Part):
    """`IAnnotations`, from the other server's METADATA (RFC 5464)."""

    async def annotations(
        self, mailbox: str, entries: Sequence[str], depth: int | None = 0
    ) -> Mapping[str, bytes]:
        """See `IAnnotations.annotations`."""
        if not entries:
            return {}
        below: Literal["0", "1", "infinity"] = "infinity" if depth is None else "1" if depth else "0"
        name = self.names.theirs(mailbox) if mailbox else ""
        try:
            found = await self.run(lambda link: link.client.metadata(name, *entries, depth=below))
        except ValueError:
            raise InvalidAnnotation from None
        return {
            entry.lower(): value for entry, value in found.items() if value is not None and is_entry(entry)
        }

    async def annotate(self, mailbox: str, values: Mapping[str, bytes | None]) -> None:
        """See `IAnnotations.annotate`."""
        if not values:
            return
        name = self.names.theirs(mailbox) if mailbox else ""
        try:
            await self.run(lambda link: link.client.set_metadata(name, values))
        except ValueError:
            raise InvalidAnnotation from None
