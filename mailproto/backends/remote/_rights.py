"""Access control of an account on another server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from mailproto.backends.remote._add_ons import Part
from mailproto.backends.remote._connections import Link
from mailproto.client.errors import CommandRefused
from mailproto.errors import InvalidRights
from mailproto.model import FlagOperation

__all__ = ["AccessControl"]

_RIGHTS: Final = "lrswipkxtea"
_OLD: Final = {"c": "kx", "d": "te"}
"""The rights of RFC 2086 that are several now (RFC 4314 2.1.1)."""

_SIGNS: Final = {FlagOperation.SET: "", FlagOperation.ADD: "+", FlagOperation.REMOVE: "-"}
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class AccessControl(Part):
    """`IAccessControl`, from the other server's ACL (RFC 4314).

    :ivar other_users: what the names of others' mailboxes begin with here, as its NAMESPACE says.
    :ivar shared: what those of shared mailboxes begin with.
    """

    other_users: str
    shared: str

    async def _learn_namespaces(self) -> None:
        """Learn where the mailboxes of others are."""
        found = await self.run(lambda link: link.client.namespace())
        self.other_users, self.shared = (
            self.names.prefix(each[0].prefix) if each else "" for each in (found.others, found.shared)
        )

    async def my_rights(self, mailbox: str) -> str:
        """See `IAccessControl.my_rights`."""
        return _normal(await self.run(lambda link: link.client.my_rights(self.names.theirs(mailbox))))

    async def acl(self, mailbox: str) -> Mapping[str, str]:
        """See `IAccessControl.acl`."""
        found = await self.run(lambda link: link.client.acl(self.names.theirs(mailbox)))
        return {who: _normal(rights) for who, rights in found.items() if not _UNPRINTABLE.search(who)}

    async def set_acl(
        self, mailbox: str, identifier: str, rights: str, operation: FlagOperation = FlagOperation.SET
    ) -> None:
        """See `IAccessControl.set_acl`."""
        name = self.names.theirs(mailbox)

        async def work(link: Link) -> None:
            if not rights and operation is FlagOperation.SET:
                await link.client.delete_acl(name, identifier)
                return
            try:
                await link.client.set_acl(name, identifier, _SIGNS[operation] + rights)
            except CommandRefused as error:
                if getattr(error.reply, "status", "") == "BAD":
                    raise InvalidRights from error
                raise

        try:
            await self.run(work)
        except ValueError:
            raise InvalidRights from None

    async def list_rights(self, mailbox: str, identifier: str) -> tuple[str, Sequence[str]]:
        """See `IAccessControl.list_rights`."""
        name = self.names.theirs(mailbox)
        always, groups = await self.run(lambda link: link.client.list_rights(name, identifier))
        more = [_normal(group) for group in groups if group not in _OLD]
        return _normal(always), [group for group in dict.fromkeys(more) if group]


def _normal(rights: str) -> str:
    """The rights in their usual order; an old one counts for those that it was split into."""
    told = set(rights)
    for old, new in _OLD.items():
        if old in told and told.isdisjoint(new):
            told |= set(new)
    return "".join(each for each in _RIGHTS if each in told)
