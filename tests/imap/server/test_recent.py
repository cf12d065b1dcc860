"""``\\Recent`` (RFC 3501 2.3.2): each message is recent in one session at most, whenever it comes."""

from __future__ import annotations

import re
from collections import Counter

from mailproto.backends._simple import SimpleMailbox
from tests.imap.server.dialogue import DialogueTestCase, run

FETCH = re.compile(rb"\* [0-9]+ FETCH \(UID ([0-9]+) FLAGS \(\\Recent\)\)")


class RecentTests(DialogueTestCase):
    def recent_in(self, name: str) -> set[int]:
        """The UIDs of the messages that are recent in a session."""
        client = self.clients[name]
        client.send(b"f UID FETCH 1:* (FLAGS)\r\n")
        return {int(uid) for uid in FETCH.findall(client.received())}

    def arrives_during_claims(self, count: int) -> None:
        """Messages come just after each of the next claims, before the session looks again."""
        claim = SimpleMailbox.claim_recent
        left = [count]

        async def claim_recent(mailbox: SimpleMailbox) -> range:
            claimed = await claim(mailbox)
            if left[0]:
                left[0] -= 1
                self.fill(1)
            return claimed

        self.patch(SimpleMailbox, "claim_recent", claim_recent)

    def test_messages_that_come_while_others_are_claimed(self) -> None:
        self.arrives_during_claims(2)
        for name in "123":
            self.sign_in(name, select="INBOX")
        self.fill(2)
        for name in "1231":
            self.clients[name].send(b"n NOOP\r\n")
            self.clients[name].received()
        owners = Counter(uid for name in "123" for uid in self.recent_in(name))
        self.assertEqual(owners, Counter(range(1, 5)))

    def test_four_sessions_while_two_append(self) -> None:
        """Each message belongs to one session, and none to nobody."""
        names = ["1", "2", "3", "4"]
        for name in [*names, "5", "6"]:
            self.sign_in(name, select="INBOX" if name in names else "")
        recent: dict[str, set[int]] = {name: set() for name in names}
        for turn in range(60):
            if turn % 3 == 0:
                self.arrives_during_claims(turn % 2)
            writer = self.clients["56"[turn % 2]]
            writer.send(b"a APPEND INBOX {1+}\r\nx\r\n")
            self.assertIn(b"a OK", writer.received())
            name = names[turn * 7 % 4]
            self.clients[name].send(b"n NOOP\r\n" if turn % 5 else b"n FETCH 1:* (FLAGS)\r\n")
            self.clients[name].received()
            recent[name] |= self.recent_in(name)
        for name in names:
            recent[name] |= self.recent_in(name)
        owners = Counter(uid for uids in recent.values() for uid in uids)
        self.assertEqual(set(owners.values()), {1}, owners)
        self.assertEqual(set(owners), set(range(1, run(self.inbox.status()).uid_next)))

    def test_a_session_that_only_examines_takes_none(self) -> None:
        self.fill(1)
        self.sign_in("1")
        self.clients["1"].send(b"e EXAMINE INBOX\r\n")
        self.assertIn(b"* 1 RECENT\r\n", self.clients["1"].received())
        self.sign_in("2", select="INBOX")
        self.assertEqual(self.recent_in("2"), {1})
