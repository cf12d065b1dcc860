"""LIST and LSUB of very many names, and with patterns made to be slow."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection._line import TURN
from mailproto.imap.server import _listing
from mailproto.imap.server._patterns import Patterns, _Automaton
from mailproto.model import DELIMITER, MailboxEntry, MailboxStatus
from tests.imap.server.dialogue import DialogueTestCase, run


class ManyNamesTests(DialogueTestCase):
    """An account with many names; only the list of them is asked for."""

    NAMES = tuple(f"box{number:05}" for number in range(2000))

    def setUp(self) -> None:
        super().setUp()
        self.client = self.sign_in()
        self.asked_at_once = 0
        account: Any = self.client.session.account
        self.patch(account, "list", self.list)
        self.patch(account, "status", self.status)

    def go_on(self) -> bool:
        """Let the reactor do what is to be done now; whether there was anything."""
        went_on = False
        while any(call.getTime() <= self.clock.rightNow for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
            went_on = True
        return went_on

    async def list(self) -> Sequence[MailboxEntry]:
        return [MailboxEntry(name, subscribed=True) for name in self.NAMES]

    async def status(self, names: Sequence[str]) -> Mapping[str, MailboxStatus]:
        self.asked_at_once = max(self.asked_at_once, len(names))
        return {name: MailboxStatus(1, 0, 0, 1, 1, 1, 0, 0) for name in names}

    def test_others_have_their_turn(self) -> None:
        turns = self.slow_clock(TURN / 5)
        for command in (
            'LIST "" nomatch',
            'LIST "" *',
            'LIST "" (a* b%) RETURN (STATUS (MESSAGES))',
            'LIST (SUBSCRIBED RECURSIVEMATCH) "" *',
            'LSUB "" %',
        ):
            with self.subTest(command=command):
                turns.clear()
                self.client.send(f"a {command}\r\n".encode())
                self.assertNotIn(b"a OK", self.client.received())
                while b"a OK" not in self.client.received():
                    self.assertTrue(self.go_on())
                self.assertGreater(len(turns), 20)

    def test_a_client_that_hangs_up_ends_it(self) -> None:
        looked_at: list[str] = []

        class Watched(Patterns):
            def matches(self, name: str) -> bool:
                looked_at.append(name)
                return super().matches(name)

        self.patch(_listing, "Patterns", Watched)
        self.slow_clock(TURN)
        self.client.send(b'a LIST "" *x\r\n' * 100)
        self.client.transport.drop()
        self.go_on()
        self.assertLess(len(looked_at), 100)

    def test_responses_are_sent_in_pieces_as_fast_as_the_client_reads(self) -> None:
        self.patch(_listing, "_OCTETS_AT_ONCE", 10_000)
        for command in (b'LIST "" *', b'LSUB "" *', b'LIST "" * RETURN (STATUS (MESSAGES))'):
            self.client.session.pauseProducing()
            self.client.send(b"a " + command + b"\r\n")
            self.assertLess(len(self.client.received()), 11_000)
            self.client.session.resumeProducing()
            self.assertIn(b"box01999", self.client.received())
        self.assertLessEqual(self.asked_at_once, 100)

    def test_deep_names_take_little_memory(self) -> None:
        """The names above these have thirty times as many octets."""
        self.NAMES = [f"box{number:04}/" + "/".join("x" * 30 for _ in range(30)) for number in range(100)]
        for command in ('LSUB "" %', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" nomatch', 'LIST "" box0000'):
            tracemalloc.start()
            try:
                self.client.send(f"a {command}\r\n".encode())
                self.assertIn(b"a OK", self.client.received())
                [_, peak] = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            self.assertLess(peak, 600_000, command)

    def test_statuses_follow_their_names(self) -> None:
        self.client.send(b'a LIST "" * RETURN (STATUS (MESSAGES))\r\n')
        lines = self.client.received().splitlines()
        self.assertEqual(len(lines), 2 * len(self.NAMES) + 1)
        self.assertEqual(lines[-2], b"* STATUS box01999 (MESSAGES 1)")


words = st.text("a-/0", min_size=1, max_size=6)


class HierarchyTests(SynchronousTestCase):
    @given(
        st.lists(st.text("a-/0", min_size=1, max_size=6), unique=True).map(sorted),
        st.text("a-/0", max_size=6),
    )
    def test_the_names_above_others(self, names: list[str], name: str) -> None:
        self.assertEqual(name in _listing._Above(names), any(each.startswith(name + "/") for each in names))
        above = {each[:at] for each in names for at, octet in enumerate(each) if octet == "/"}
        found = list(_listing._superiors(names))
        self.assertEqual(sorted(found), sorted(above))

    @given(
        st.dictionaries(
            st.lists(st.sampled_from(["a", "a-", "a0", "b"]), min_size=1, max_size=4).map("/".join),
            st.booleans(),
            max_size=6,
        ),
        st.integers(1, 3),
    )
    def test_the_names_above_mailboxes_that_may_not_be_read(
        self, readable: dict[str, bool], size: int
    ) -> None:
        names = {*readable, *_listing._superiors(sorted(readable))}
        entries = [MailboxEntry(name, selectable=readable.get(name, False)) for name in sorted(names)]
        mailboxes = _listing._Mailboxes()
        for start in range(0, len(entries), size):
            mailboxes.add(entries[start : start + size])
        above = _listing._Above(mailboxes.names())
        for name in names:
            self.assertEqual(name in above, any(each.startswith(name + "/") for each in readable), name)
        self.assertLessEqual(set(mailboxes.names()), set(readable))


class RecursiveTests(DialogueTestCase):
    def test_what_tells_nothing_new_is_not_sent(self) -> None:
        """RFC 5258 3.5."""
        for name in ("m/2/1", "m/7/7", "m/8/8", "m/8/9", "n/5/5"):
            run(self.account.create(name))
            run(self.account.subscribe(name))
        run(self.account.subscribe("n/5"))
        for name in ("n/5/5", "n/5", "n"):
            run(self.account.delete(name))
        self.sign_in()
        self.talk(
            """
            C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" m/2% RETURN (CHILDREN)
            S: * LIST (\\HasChildren) "/" m/2 ("CHILDINFO" ("SUBSCRIBED"))
            S: a OK LIST completed
            C: b LIST (SUBSCRIBED RECURSIVEMATCH) "" *7
            S: * LIST (\\HasNoChildren \\Subscribed) "/" m/7/7
            S: b OK LIST completed
            C: c LIST (SUBSCRIBED RECURSIVEMATCH) "" *8
            S: * LIST (\\HasChildren) "/" m/8 ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\HasNoChildren \\Subscribed) "/" m/8/8
            S: c OK LIST completed
            C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" (m/2 m/2/1)
            S: * LIST (\\HasNoChildren \\Subscribed) "/" m/2/1
            S: d OK LIST completed
            C: e LIST (SUBSCRIBED RECURSIVEMATCH) "" n*
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" n/5 ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" n/5/5
            S: e OK LIST completed
            C: f LIST (SUBSCRIBED RECURSIVEMATCH) "" (n %/5)
            S: * LIST (\\NonExistent \\HasNoChildren) "/" n ("CHILDINFO" ("SUBSCRIBED"))
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" n/5 ("CHILDINFO" ("SUBSCRIBED"))
            S: f OK LIST completed
            """
        )


class UnusualTests(DialogueTestCase):
    def test_patterns_that_no_name_can_match(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a LIST "" "&'+,-%"
            S: a OK LIST completed
            C: b LSUB "" &*
            S: b OK LSUB completed
            C: c LIST "" (&* INBOX)
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: c OK LIST completed
            """
        )


texts = st.lists(st.sampled_from("ab/*%iI"), max_size=6).map("".join)
_INBOXES = st.sampled_from(["inbox", "INBOX", "Inb%", "*/INBOX", "iNBOX/*", "INBOX%", ""])
patterns = st.builds(str.__add__, _INBOXES, texts)
names = st.builds(str.__add__, st.sampled_from(["INBOX", "INBOX/", ""]), st.text("ab/iI", max_size=6))


class PatternsTests(SynchronousTestCase):
    @given(st.lists(patterns, max_size=4), st.lists(names, min_size=1, max_size=5))
    def test_they_match_what_regular_expressions_do(self, texts: list[str], names: list[str]) -> None:
        wildcards = {"*": ".*", "%": f"[^{DELIMITER}]*"}

        def matches(text: str, name: str) -> bool:
            words = (wildcards.get(character) or re.escape(character) for character in text)
            return re.fullmatch("".join(words), name, re.DOTALL) is not None

        together, automaton = Patterns(texts), _Automaton(texts)
        for name in names:
            plainly = [matches(text, name) for text in texts]
            self.assertEqual(automaton.accepts(name), any(plainly))
            folded = [
                matches(text.upper(), name)
                if name == "INBOX"
                else text[:5].upper() == "INBOX" and matches("INBOX" + text[5:], name)
                for text in texts
                if name == "INBOX" or name.startswith("INBOX/")
            ]
            self.assertEqual(together.matches(name), any(chain(plainly, folded)), name)

    def test_a_step_for_each_character_however_many_wildcards_there_are(self) -> None:
        class Literals(dict[str, int]):
            steps = 0

            def get(self, character: str, default: Any = None) -> Any:
                self.steps += 1
                return super().get(character, default)

        for texts in (
            ["*b" * 4000],
            ["*a%" * 2000 + "b"],
            ["%*a" * 3] * 2000,
            [f"*{n}%" for n in range(999)],
        ):
            automaton = _Automaton(texts)
            counted = automaton._literals = Literals(automaton._literals)
            automaton.accepts("ab" * 500)
            self.assertLessEqual(counted.steps, 1000)
