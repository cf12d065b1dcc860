"""A message's relations to other messages, from which a store makes threads."""

from __future__ import annotations

from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._casemap import casemap
from mailproto.message._fields import ends_of_header, structural_fields
from mailproto.message._ids import first_and_nearest_ids, message_id
from mailproto.message._index import Index
from mailproto.message._thread import base_subject_and_reply

__all__ = ["ANCESTORS_LIMIT", "Relations", "relations"]

ANCESTORS_LIMIT = 10
"""The most ancestors of a message; if there are more, the first and the nearest ones count.

The first one began the thread.  A store keeps all of them for each account that gets the message,
and there may be a thousand accounts.
"""


class Relations(NamedTuple):
    """A message's relations to other messages.

    :ivar id: its Message-ID, normalised, without brackets; or None.
    :ivar ancestors: Message-IDs in References and In-Reply-To, oldest first, at most `ANCESTORS_LIMIT`.
    :ivar subject: its base subject (RFC 5256 2.1), already mapped for comparing; "" if there is none.
    :ivar is_reply: whether the subject is that of a reply or forward.
    """

    id: bytes | None
    ancestors: tuple[bytes, ...]
    subject: str
    is_reply: bool


def relations(content: Octets, index: Index | None = None) -> Relations:
    """Read only the header of ``content``; any octets have relations, and the time is limited.

    :param index: the index of ``content``, if it was made before.
    """
    if index is None:
        end = ends_of_header(content, 0, len(content))
        fields = structural_fields(content, 0, len(content) if end < 0 else end, message=True)
    else:
        fields = index.root.fields(content)
    ids, answered, referred = fields.get(b"message-id"), fields.get(b"in-reply-to"), fields.get(b"references")
    found = first_and_nearest_ids(referred[-1], ANCESTORS_LIMIT) if referred else []
    if answered and (parent := message_id(answered[-1][:_FIELD_LIMIT])) and parent not in found:
        found.append(parent)
        del found[1 : len(found) - ANCESTORS_LIMIT + 1]
    subject, is_reply = "", False
    if subjects := fields.get(b"subject"):
        subject, is_reply = base_subject_and_reply(subjects[-1])
        subject = casemap(subject)
    own = message_id(ids[-1][:_FIELD_LIMIT]) if ids else None
    return Relations(own, tuple(found), subject, is_reply)


_FIELD_LIMIT = 4096  # octets in which the id of a field is looked for
