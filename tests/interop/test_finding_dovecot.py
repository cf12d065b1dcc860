"""What SEARCH, SORT and THREAD find, beside what Dovecot finds in the same messages.

The messages are made at random; each command is sent to both.  What differs on purpose is not among them:
messages without a valid date are not sent before any day here, Dovecot 2.3 finds too little with ``NOT (SEEN
FLAGGED)``, and it sorts THREAD=REFS by the Date field, where the draft says INTERNALDATE.
"""

from __future__ import annotations

import os
import random
import re

from twisted.trial.unittest import SkipTest

from mailproto.imap.wire import internal_date
from tests.imap.server.dialogue import DialogueTestCase
from tests.interop.test_message_dovecot import PROGRAM, Dovecot

NAMES = ["", "Ann", '"Bob B."', "=?utf-8?q?=C3=84nne?=", "zed", "=?iso-8859-1?q?=D6tz?=", '"ann"', "Z"]
ADDRESSES = ["a@x.org", "B@x.org", "c.d@y.net", "zz@a.com", "C@z.org", '"q r"@x.org']
SUBJECTS = [
    *("", "apple", "Re: apple", "re:  Apple", "[list] apple", "Fwd: banana", "banana (fwd)", "[fwd: cherry]"),
    *("cherry", "Re: [x] Re: banana", "RE[2]: apple", "=?utf-8?q?=C3=84pfel?=", "=?utf-8?b?UmU6IGFwcGxl?="),
    *("zebra", "Re:", "[only]", "banana  split", "Re: banana\r\n split", "(fwd)", "\tapple"),
]
NEWS = re.compile(rb" (?:EXISTS|RECENT)$|^\* OK ")
ZONES = ["+0000", "-0800", "+0930"]
KEYS = """
    SUBJECT apple
    SUBJECT "re: apple"
    SUBJECT "äpfel"
    SUBJECT "banana split"
    FROM ann
    TO "bob b"
    CC "ötz"
    FROM x.org
    HEADER Message-ID m1
    HEADER References m2
    HEADER In-Reply-To ""
    BODY needle
    TEXT "GRÜSSE"
    TEXT "GRÜße"
    BODY "alpha beta"
    TEXT banana
    SENTON 2-Feb-2024
    SENTSINCE 3-Feb-2024
    SENTBEFORE 3-Feb-2024 HEADER Date ""
    ON 9-Jan-2022
    SINCE 10-Jan-2022
    BEFORE 10-Jan-2022
    LARGER 300
    SMALLER 250
    KEYWORD $Kept
    UNKEYWORD $kept UNSEEN
    OR FROM ann NOT TEXT alpha
    YOUNGER 100000
    OLDER 5
    1:50 NOT 20:30
    UID 7:*
"""
WORDS = ["alpha", "beta", "gamma", "Grüße", "delta", "needle", "hay"]


def messages(chance: random.Random, count: int) -> list[bytes]:
    return [message(chance, number) for number in range(count)]


def message(chance: random.Random, number: int) -> bytes:
    """A message whose ids refer to those before it; some fields are missing."""
    choose = chance.choice
    fields = {
        name: ", ".join(
            [f"{choose(NAMES)} <{choose(ADDRESSES)}>".strip() for _ in range(chance.randint(1, 3))]
        )
        for name in ("From", "To", "Cc")
    }
    fields["Subject"] = choose(SUBJECTS)
    fields["Date"] = f"{chance.randint(1, 4)} Feb 2024 {chance.randint(0, 23):02}:10:00 {choose(ZONES)}"
    fields["Message-ID"] = f"<m{chance.randrange(number, number + 2)}@x>"
    if number and chance.random() < 0.7:
        ids = [f"<m{chance.randrange(number)}@x>" for _ in range(choose((1, 1, 2, 3)))]
        fields[choose(("References", "In-Reply-To"))] = " ".join(ids)
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if chance.random() < 0.9]
    text = " ".join(choose(WORDS) for _ in range(chance.randint(0, 8)))
    coding = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    return f"{''.join(lines)}{coding}\r\n{text}\r\n".encode()


class FindingTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        if not os.access(PROGRAM, os.X_OK):
            raise SkipTest(f"needs {PROGRAM}: install the Debian package dovecot-imapd")
        self.dovecot = Dovecot()
        self.addCleanup(self.dovecot.close)

    def fill_both(self, seed: int, count: int) -> None:
        chance = random.Random(seed)
        for number, octets in enumerate(messages(chance, count)):
            flags = [flag for flag in ("\\Seen", "\\Flagged", "$Kept") if chance.random() < 0.4]
            date = 86_400 * chance.randint(19_000, 19_006) + number
            self.inbox.add(octets, flags, date)
            stamp = internal_date(date).decode()
            head = f"APPEND INBOX ({' '.join(flags)}) {stamp} {{{len(octets)}+}}\r\n"
            self.dovecot.command(head.encode() + octets)
        self.client = self.sign_in(select="INBOX")

    def compare(self, command: str) -> None:
        """Both answer the same, but for what they tell of new messages."""
        theirs = [line for line in self.dovecot.command(command.encode()) if not NEWS.search(line)]
        self.client.send(f"a {command}\r\n".encode())
        answer = self.client.received()
        while b"\na " not in b"\n" + answer:
            self.clock.advance(0)
            answer += self.client.received()
        *ours, end = answer.splitlines()
        self.assertTrue(end.startswith(b"a OK"), (command, end))
        self.assertEqual(ours, [line.rstrip() for line in theirs], command)

    def test_sort(self) -> None:
        self.fill_both(1, 100)
        for key in ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"):
            self.compare(f"SORT ({key}) UTF-8 ALL")
            self.compare(f"UID SORT (REVERSE {key}) UTF-8 SEEN")
        self.compare("SORT (SUBJECT REVERSE DATE) UTF-8 ALL")
        self.compare("UID SORT RETURN (MIN MAX COUNT ALL) (REVERSE DATE) UTF-8 FLAGGED")

    def test_thread(self) -> None:
        self.fill_both(2, 100)
        for algorithm in ("ORDEREDSUBJECT", "REFERENCES"):
            for keys in ("ALL", "SEEN", "1:20", "DELETED"):
                self.compare(f"UID THREAD {algorithm} UTF-8 {keys}")

    def test_search(self) -> None:
        self.fill_both(3, 80)
        for keys in KEYS.strip().splitlines():
            self.compare(f"SEARCH CHARSET UTF-8 {keys.strip()}")
        self.compare("SEARCH RETURN (SAVE COUNT) SEEN")
        self.compare("SEARCH RETURN (ALL) $ FLAGGED")
        self.compare("UID SEARCH RETURN (PARTIAL 3:7) SEEN")
        self.compare("SEARCH RETURN (PARTIAL 900:800) SEEN")
