"""What a client knows of the selected mailbox: how many messages there are, and the UIDs of their numbers."""

from __future__ import annotations

from array import array

from mailproto.imap.client._uid_set import UidSet

__all__ = ["MailboxView"]


class MailboxView:
    """The selected mailbox.

    :param most: the most messages whose UIDs are kept: a server may claim to have any number.
    :ivar name: its name.
    :ivar exists: the number of messages.
    :ivar is_complete: whether all UIDs are known.
    """

    __slots__ = ("_known", "_most", "_uids", "exists", "name")

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self._most = most
        self.exists = 0
        self._uids = array("I")  # of the numbers 1, 2, ...; 0 where it is not known; it may be shorter
        self._known = 0

    @property
    def is_complete(self) -> bool:
        """Whether all UIDs are known."""
        return self._known == self.exists

    @property
    def known(self) -> int:
        """How many messages from the first one on may have known UIDs."""
        return min(len(self._uids), self.exists) if 0 not in self._uids else 0

    def uid(self, number: int | None) -> int | None:
        """The UID of a sequence number, if it is known."""
        if number is None or not 0 < number <= len(self._uids):
            return None
        return self._uids[number - 1] or None

    def learn(self, number: int | None, uid: int) -> None:
        """A message's number and UID."""
        if number is None or not 0 < number <= self._most or not 0 < uid < 1 << 32:
            return
        if number > self.exists:
            self.exists = number  # the server has not said so before
        uids = self._uids
        missing = number - len(uids)
        if missing == 1:
            uids.append(uid)
            self._known += 1
            return
        if missing > 0:
            uids.frombytes(bytes(uids.itemsize * missing))
        self._known += not uids[number - 1]
        uids[number - 1] = uid

    def learn_some(self, numbers: list[int], uids: list[int]) -> None:
        """As `learn`, for several messages; quicker if they follow each other."""
        known, most = self._uids, min(self.exists, self._most)
        before, last = numbers[0] - 1, numbers[-1]
        if 0 <= before <= len(known) and last <= most and numbers == list(range(before + 1, last + 1)):
            try:
                told = array("I", uids)
            except OverflowError:  # one by one, as far as they are UIDs
                told = array("I")
            if told and 0 not in told:
                if known[before:last] == told:
                    return
                if before == len(known):
                    known.extend(told)
                    self._known += len(told)
                    return
        for number, uid in zip(numbers, uids, strict=True):
            self.learn(number, uid)

    def learn_all(self, uids: UidSet) -> bool:
        """All UIDs in the order of their numbers; False if there are not as many as messages."""
        if len(uids) != self.exists or len(uids) > self._most:
            return False
        self._uids = array("I", uids)
        self._known = self.exists
        return True

    def grow(self, exists: int) -> bool:
        """Set the number of messages; False if it is the same as before."""
        if exists == self.exists:
            return False
        if exists < self.exists:  # a server must say before which are gone
            self._forget()
        self.exists = exists
        return True

    def expunge(self, number: int) -> int | None:
        """A message is gone.  :returns: its UID, if it is known."""
        uid = self.uid(number)
        if 0 < number <= len(self._uids):
            del self._uids[number - 1]
            self._known -= uid is not None
        self.exists = max(self.exists - 1, 0)
        return uid

    def vanish(self, gone: UidSet) -> None:
        """Messages are gone; all that are named were there (RFC 7162 3.2.10)."""
        if not self.is_complete:
            self.exists = max(self.exists - len(gone), 0)
            self._forget()
            return
        self._uids = array("I", [uid for uid in self._uids if uid not in gone])
        self.exists = self._known = len(self._uids)

    def _forget(self) -> None:
        self._uids = array("I")
        self._known = 0
