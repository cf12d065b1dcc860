"""A selected mailbox as one client knows it, from what it was told (RFC 9051 2.3, 5.2, 7)."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from _parts.stress.responses import NIL, Value, numbers_of
from _parts.stress.world import Box, World

__all__ = ["Known", "Mirror"]

_NUMBER = re.compile(rb"X-Number: (\d+)\r\n")
_SYSTEM = frozenset({rb"\Seen", rb"\Answered", rb"\Flagged", rb"\Deleted", rb"\Draft", rb"\Recent"})


@dataclass(eq=False)
class Known:
    """What is known of a message; None for what is not.

    :ivar owned: whether it has the keyword that only this client sets; None if that is not known.
    """

    uid: int | None = None
    flags: frozenset[bytes] | None = None
    modseq: int = 0
    owned: bool | None = None


class Mirror:
    """One session's view of its mailbox.

    :param session: a number that no other session has.
    :param keyword: one that only this client sets.
    :ivar told: the messages that were told of since this was emptied, with the names of the items.
    :ivar modseq: the client takes itself to know all changes up to it (RFC 7162 6).
    :ivar suspects: messages that a command did not find: one of them must turn out to be removed.
    :ivar gone: the UIDs that the client was told are removed.
    :ivar gone_then: those of them that it was told before the latest results of a search.
    :ivar uids_only: whether messages have no numbers, only UIDs (RFC 9586).
    :ivar unknown: then, how many messages there are beside ``messages``, whose UIDs were not told yet.
    :ivar quiet: whether nobody changes anything, so that a FETCH must tell nothing new.
    """

    def __init__(
        self, world: World, box: Box, session: int, keyword: bytes, talk: Iterable[bytes] = ()
    ) -> None:
        self.world = world
        self.talk = talk
        self.box = box
        self.session = session
        self.keyword = keyword
        self.messages: list[Known] = []
        self.listed: set[bytes] = set()
        self.recent = 0
        self.read_only = False
        self.may_expunge = True
        self.quiet = False
        self.suspects: dict[bytes, Sequence[Known]] = {}
        self.gone: set[int] = set()
        self.gone_then: frozenset[int] = frozenset()
        self.told: list[tuple[Known, set[bytes]]] = []
        self.modseq = 0
        self.vanished_only = False
        self.uids_only = False
        self.unknown = 0
        self._in_fetches = 0
        self._resumes = False
        self._pending = 0

    def wrong(self, text: str) -> None:
        """Note a contradiction."""
        self.world.contradiction(f"session {self.session} in {self.box.name}: {text}", self.talk)

    def uids(self) -> list[int]:
        """The UIDs that are known."""
        return [known.uid for known in self.messages if known.uid is not None]

    def hear(self, values: list[Value]) -> bool:
        """Take in an untagged response; returns whether it was about the mailbox."""
        match values:
            case [number, b"EXISTS"]:
                self._exists(int(number))
            case [number, b"RECENT"]:
                self.recent = int(number)
                count = len(self.messages) + self.unknown
                if self.recent > count and not self._resumes:
                    self.wrong(f"{self.recent} RECENT of {count}")
            case [uid, b"UIDFETCH", items]:
                self._uid_fetch(int(uid), items)
            case [number, b"EXPUNGE"]:
                self._expunge(int(number))
            case [number, b"FETCH", items]:
                self._fetch(int(number), items)
            case [b"VANISHED", [b"EARLIER"], uids]:
                self._vanished(numbers_of(uids), earlier=True)
            case [b"VANISHED", uids]:
                self._vanished(numbers_of(uids), earlier=False)
            case [b"FLAGS", flags]:
                self.listed = set(flags)
            case _:
                return False
        return True

    def resume(self, kept: dict[int, Known]) -> None:
        """Before SELECT with QRESYNC: begin with what was kept when the mailbox was left."""
        self.messages = [Known(uid, known.flags) for uid, known in sorted(kept.items())]
        self._resumes = True

    def resumed(self) -> None:
        """SELECT with QRESYNC is answered: what is left of the kept messages comes before what is new."""
        self._resumes = False
        self.unknown = 0
        self._exists(self._pending)

    def completed(self) -> None:
        """A command is answered: the client may take itself to know what FETCH responses told it."""
        self.modseq = max(self.modseq, self._in_fetches)
        self._in_fetches = 0
        self.told.clear()

    def highest(self, modseq: int) -> None:
        """HIGHESTMODSEQ was told."""
        self.modseq, self._in_fetches = modseq, 0

    def check_suspects(self) -> None:
        """After NOOP, messages that were not found must be known to be gone."""
        for octets, messages in self.suspects.items():
            if all(known in self.messages for known in messages):
                self.wrong(f"{octets[:200]!r} did not find all messages, but none of them was removed")
        self.suspects.clear()

    def _exists(self, count: int) -> None:
        if self._resumes:  # the count is without what VANISHED (EARLIER) will tell
            self._pending = count
            return
        if count < len(self.messages) + self.unknown:
            self.wrong(f"EXISTS fell from {len(self.messages) + self.unknown} to {count}")
        if self.uids_only:
            self.unknown = max(count - len(self.messages), 0)
            return
        while len(self.messages) < count:
            self.messages.append(Known())

    def _exists_now(self, number: int) -> None:
        """After VANISHED (EARLIER), FETCH responses of SELECT have the numbers of now."""
        while len(self.messages) < min(number, self._pending):
            self.messages.append(Known())

    def _expunge(self, number: int) -> None:
        if self.vanished_only:
            self.wrong("EXPUNGE, though QRESYNC or UIDONLY is enabled")
        if not self.may_expunge:
            self.wrong(f"EXPUNGE {number} when it is not allowed")
        if not 1 <= number <= len(self.messages):
            self.wrong(f"EXPUNGE {number} of {len(self.messages)}")
            return
        self._remove(number - 1)

    def _remove(self, at: int) -> None:
        if self.quiet:
            self.wrong(f"message {at + 1} was removed while nobody does anything")
        known = self.messages.pop(at)
        if known.uid is not None:
            self.gone.add(known.uid)

    def _vanished(self, uids: list[int], *, earlier: bool) -> None:
        if not self.vanished_only:
            self.wrong("VANISHED, though neither QRESYNC nor UIDONLY is enabled")
        if not earlier and not self.may_expunge:
            self.wrong(f"VANISHED {uids} when it is not allowed")
        for uid in reversed(uids):
            at = self._place(uid)
            if at is not None:
                self._remove(at)
            elif self.uids_only and self.unknown and not earlier:
                self.unknown -= 1
                self.gone.add(uid)
            elif not earlier:
                self.wrong(f"VANISHED {uid}, which the client does not know")

    def _place(self, uid: int) -> int | None:
        """The index of the message with a UID, or of one that may have it."""
        maybe: list[int] = []
        for at, known in enumerate(self.messages):
            if known.uid == uid:
                return at
            if known.uid is None:
                maybe.append(at)
            elif known.uid > uid:
                break
            else:
                maybe.clear()
        if len(maybe) > 1:  # it is any of these
            self.suspects.clear()
            for at in maybe:
                self.messages[at] = Known()
        return maybe[-1] if maybe else None

    def _uid_fetch(self, uid: int, items: list[Value]) -> None:
        if not self.uids_only:
            self.wrong("UIDFETCH, though UIDONLY is not enabled")
        at = bisect_left(self.messages, uid, key=lambda known: known.uid or 0)
        if at == len(self.messages) or self.messages[at].uid != uid:
            if uid in self.gone or not (self.unknown or self._resumes):
                self.wrong(f"UIDFETCH {uid}, which is not there")
                return
            self.unknown -= not self._resumes
            self.messages.insert(at, Known(uid))
            self.box.uid_next = max(self.box.uid_next, uid + 1)
        self._items(uid, self.messages[at], items)

    def _fetch(self, number: int, items: list[Value]) -> None:
        if self.uids_only:
            self.wrong("FETCH, though UIDONLY is enabled")
        if self._resumes:
            self._exists_now(number)
        if not 1 <= number <= len(self.messages):
            self.wrong(f"FETCH of {number} of {len(self.messages)}")
            return
        self._items(number, self.messages[number - 1], items)

    def _items(self, number: int, known: Known, items: list[Value]) -> None:
        named = dict(zip(items[::2], items[1::2], strict=True))
        if b"UID" in named and not self.uids_only:
            self._uid(number, known, int(named[b"UID"]))
        modseq = int(named[b"MODSEQ"][0]) if b"MODSEQ" in named else 0
        if b"FLAGS" in named:
            self._flags(number, known, frozenset(named[b"FLAGS"]), modseq)
        elif modseq > known.modseq:
            known.flags = None  # they may have changed
        if modseq:
            self._modseq(number, known, modseq)
        if known.uid is not None:
            self._values(known.uid, named)
        self.told.append((known, set(named)))

    def _uid(self, number: int, known: Known, uid: int) -> None:
        if known.uid not in (None, uid):
            self.wrong(f"the UID of {number} changed from {known.uid} to {uid}")
        known.uid = uid
        before = [each.uid for each in self.messages[: number - 1] if each.uid is not None]
        after = [each.uid for each in self.messages[number:] if each.uid is not None]
        if (before and before[-1] >= uid) or (after and after[0] <= uid):
            self.wrong(f"the UID of {number}, {uid}, is not between those of its neighbours")
        self.box.uid_next = max(self.box.uid_next, uid + 1)

    def _flags(self, number: int, known: Known, flags: frozenset[bytes], modseq: int) -> None:
        if unlisted := flags - self.listed - _SYSTEM:
            self.wrong(f"{unlisted} of {number} are not in FLAGS")
        lasting = flags - {rb"\Recent"}
        if self.quiet and known.flags is not None and lasting != known.flags:
            self.wrong(f"unseen change of {number} (UID {known.uid}): {known.flags} to {lasting}")
        if modseq and modseq == known.modseq and known.flags is not None and lasting != known.flags:
            self.wrong(f"flags of {number} changed, but not its modseq {modseq}")
        has_own = self.keyword in flags
        if known.owned is not None and known.owned != has_own:
            self.wrong(f"{self.keyword!r} of {number} (UID {known.uid}) is {has_own}, but nobody changed it")
        if known.owned is not None:
            known.owned = has_own
        known.flags = lasting
        if known.uid is None:
            return
        if modseq:
            same = self.box.flags.setdefault((known.uid, modseq), lasting)
            if same != lasting:
                self.wrong(f"UID {known.uid} had {same} at modseq {modseq}, and has {lasting}")
        if rb"\Recent" in flags and not self.read_only:
            owner = self.box.recent.setdefault(known.uid, self.session)
            if owner != self.session:
                self.wrong(f"UID {known.uid} is recent in session {owner}, too")

    def _modseq(self, number: int, known: Known, modseq: int) -> None:
        if modseq < known.modseq:
            self.wrong(f"the modseq of {number} fell from {known.modseq} to {modseq}")
        known.modseq = modseq
        self._in_fetches = max(self._in_fetches, modseq)
        self.box.modseq = max(self.box.modseq, modseq)

    def _values(self, uid: int, named: dict[bytes, Value]) -> None:
        for name, value in named.items():
            if name in (b"UID", b"FLAGS", b"MODSEQ"):
                continue
            if name.startswith((b"BODY[", b"RFC822", b"BINARY[")) and isinstance(value, bytes):
                self._octets(uid, name, value)
                value = hashlib.sha256(value).digest()
            if value is NIL and name != b"SAVEDATE":
                self.wrong(f"{name!r} of UID {uid} is NIL")
            before = self.box.values.setdefault((uid, name), value)
            if before != value:
                self.wrong(f"{name!r} of UID {uid} changed from {before!r} to {value!r}")

    def _octets(self, uid: int, name: bytes, value: bytes) -> None:
        if name not in (b"BODY[]", b"RFC822"):
            return
        number = _NUMBER.search(value)
        if number is None or self.world.messages[int(number[1])] != value:
            self.wrong(f"UID {uid} is not what was appended: {value[:80]!r}")
