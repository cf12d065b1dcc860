"""Searches and threads of many messages leave turns to others."""

from __future__ import annotations

import re

from mailproto.model import FlagChange, FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, run
from tests.imap.server.test_thread import mail


class CrowdTests(DialogueTestCase):
    def test_many_who_follow_a_large_mailbox_leave_turns_to_others(self) -> None:
        self.fill(5000)
        clients = [self.sign_in(f"c{number}", select="INBOX") for number in range(10)]
        for client in clients:
            client.send(b"u SEARCH RETURN (UPDATE COUNT) SEEN\r\ni IDLE\r\n")
            answer = client.received()
            while b"+ idling" not in answer:
                self.clock.advance(0)
                answer += client.received()
        turns = self.slow_clock(0.0002)
        uids = list(range(1, 5001))
        run(self.inbox.store(uids, FlagChange(FlagOperation.ADD, frozenset(["\\Seen"]))))
        answers = [b""] * len(clients)
        for _ in range(5000):
            self.clock.advance(0)
            answers = [answer + client.received() for answer, client in zip(answers, clients, strict=True)]
            if all(re.search(rb"ADDTO \(0 \d+:5000\)", answer) for answer in answers):
                break
        else:
            self.fail("not all were told")
        self.assertGreater(len(turns), 30)

    def test_a_deep_thread_leaves_turns_to_others(self) -> None:
        count = 6000
        for number in range(count):
            self.inbox.add(mail(f"n{number}", "Deep", *([f"n{number - 1}"] if number else ())), (), number)
        client = self.sign_in("other", select="INBOX")
        turns = self.slow_clock(0.0002)
        client.send(b"a UID THREAD REFS UTF-8 ALL\r\n")
        answer = client.received()
        for _ in range(1000):
            if b"\na OK" in answer:
                break
            self.clock.advance(0)
            answer += client.received()
        self.assertIn(b"* THREAD (1 2 3 4 ", answer[:50])
        self.assertIn(b" %d)\r\n" % count, answer[-100:])
        self.assertGreater(len(turns), 10)
