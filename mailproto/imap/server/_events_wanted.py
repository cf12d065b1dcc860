"""Which events of which mailboxes a client wants to be told of (RFC 5465 5, 6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from mailproto.imap.wire import ArgumentReader, FetchItem, IMAPWireError, grammars
from mailproto.model import DELIMITER

__all__ = ["EVENTS", "MESSAGE_EVENTS", "Group", "Notify", "notify"]

EVENTS: Final = {
    name.upper(): name
    for name in (
        "MessageNew",
        "MessageExpunge",
        "FlagChange",
        "MailboxName",
        "SubscriptionChange",
        "MailboxMetadataChange",
        "ServerMetadataChange",
    )
}
"""The supported events, by their names in upper case."""

MESSAGE_EVENTS: Final = frozenset({"MESSAGENEW", "MESSAGEEXPUNGE", "FLAGCHANGE"})

_SELECTED: Final = frozenset({"SELECTED", "SELECTED-DELAYED"})


@dataclass(frozen=True, slots=True)
class Group:
    """Some mailboxes and some events.

    :ivar kind: ``SELECTED``, ``SELECTED-DELAYED``, ``PERSONAL``, ``INBOXES``, ``SUBSCRIBED``, ``SUBTREE`` or
        ``MAILBOXES``.
    :ivar names: of the last two.
    :ivar events: in upper case.
    :ivar items: what is told of each new message in the selected mailbox.
    """

    kind: str
    names: frozenset[str]
    events: frozenset[str]
    items: tuple[FetchItem, ...] = ()

    @property
    def is_for_selected(self) -> bool:
        """Whether it is about the selected mailbox, whatever that is."""
        return self.kind in _SELECTED

    def has(self, name: str, is_subscribed: Callable[[str], bool], others: tuple[str, ...] = ()) -> bool:
        """Whether a mailbox that is not the selected one is in it.

        :param others: what names begin with that are not personal.
        """
        if self.kind == "MAILBOXES":
            return name in self.names
        if self.kind == "SUBSCRIBED":
            return is_subscribed(name)
        if self.kind == "SUBTREE":
            return any(above in self.names for above in _up(name))
        return not self.is_for_selected and not name.startswith(others)


@dataclass(frozen=True, slots=True)
class Notify:
    """NOTIFY.

    :ivar groups: empty for NONE.
    :ivar tells_status: whether the present status of the mailboxes is told.
    :ivar unknown: whether there is an event that is not supported.
    """

    groups: Sequence[Group]
    tells_status: bool = False
    unknown: bool = False


def notify(arguments: ArgumentReader) -> Notify:
    """``SP ("NONE" / "SET" [SP "STATUS"] 1*(SP group))`` (RFC 5465 8)."""
    word = arguments.atom()
    if word == "NONE":
        return Notify(())
    if word != "SET":
        raise IMAPWireError("Expected SET or NONE")
    tells_status = False
    groups: list[Group] = []
    unknown = False
    if not arguments.follows(b" ("):
        if arguments.atom() != "STATUS":
            raise IMAPWireError("Expected STATUS or a list")
        tells_status = True
    while not groups or arguments.follows(b" ("):
        group, is_known = _group(arguments)
        groups.append(group)
        unknown = unknown or not is_known
    if sum(group.is_for_selected for group in groups) > 1:
        raise IMAPWireError("SELECTED is there twice")
    return Notify(groups, tells_status, unknown)


def _group(arguments: ArgumentReader) -> tuple[Group, bool]:
    """``"(" mailboxes SP events ")"``; the other value is whether all events are known."""
    arguments.open()
    kind = arguments.atom()
    names: list[str] = []
    if kind in ("SUBTREE", "MAILBOXES"):
        names = arguments.list_of(arguments.mailbox) if arguments.follows(b" (") else [arguments.mailbox()]
    elif kind not in _SELECTED and kind not in ("PERSONAL", "INBOXES", "SUBSCRIBED"):
        raise IMAPWireError("Unknown mailboxes")
    is_list = arguments.follows(b" (")
    if is_list:
        arguments.open()
    events: set[str] = set()
    items: tuple[FetchItem, ...] = ()
    while not arguments.closes():
        events.add(event := arguments.atom())
        if event == "MESSAGENEW" and arguments.follows(b" ("):
            if kind not in _SELECTED:
                raise IMAPWireError("Data items are for the selected mailbox only")
            items = grammars.fetch_items(arguments)
    if not events:
        raise IMAPWireError("Expected events")
    if is_list and not arguments.closes():
        raise IMAPWireError("Expected a closing parenthesis")
    if not is_list and events == {"NONE"}:
        events.clear()
    _check(kind, events)
    return Group(kind, frozenset(names), frozenset(events), items), events <= EVENTS.keys()


def _check(kind: str, events: Collection[str]) -> None:
    if kind in _SELECTED and not set(events) - {"ANNOTATIONCHANGE"} <= MESSAGE_EVENTS:
        raise IMAPWireError("Only events of messages are for the selected mailbox")
    both = {"MESSAGENEW", "MESSAGEEXPUNGE"}
    wants = both.intersection(events) or {"FLAGCHANGE", "ANNOTATIONCHANGE"}.intersection(events)
    if wants and not both <= set(events):
        raise IMAPWireError("MessageNew and MessageExpunge belong together")


def _up(name: str) -> Sequence[str]:
    """A name, and those above it."""
    words = name.split(DELIMITER)
    return [DELIMITER.join(words[:count]) for count in range(1, len(words) + 1)]
