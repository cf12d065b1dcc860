"""What another server says reaches our clients only if it can be, and is kept only up to named limits."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends._keywords import MAX_COMBINED_KEYWORDS, MAX_MAILBOX_KEYWORDS
from mailproto.backends.remote import _checked
from mailproto.backends.remote._checked import (
    FlagKeeper,
    is_entry,
    is_envelope,
    is_structure,
    object_id,
    usual_forms,
)
from mailproto.backends.remote._connections import LONGEST
from mailproto.message import summarise
from mailproto.model import SYSTEM_FLAGS
from tests.backends.remote.liar import EXTRAS, LIES, Lie, Proxy, _drip, _insert, _stop

NILS = b"NIL " * 7


class ValueTests(SynchronousTestCase):
    def test_an_envelope_is_one_and_nothing_else(self) -> None:
        address = b'((NIL NIL "a" "b")("x \\" y" NIL "a" NIL))'
        for good in (
            b"(" + NILS + b"NIL NIL NIL)",
            b'("Mon, 1 Jan" "a (b" ' + address + b" NIL NIL NIL NIL NIL NIL {3}\r\na)b)",
            summarise(b'From: a@b.example\r\nSubject: \xff\xfe "\\\r\n\r\n').envelope,
        ):
            self.assertTrue(is_envelope(good), good)
        for bad in (
            b"",
            b"NIL",
            b"(" + NILS + b"NIL NIL)",
            b"(" + NILS + b"NIL NIL NIL) UID 4",
            b"(" + NILS + b'NIL NIL "a"b")',
            b"(" + NILS + b'NIL NIL "a\r\n* 1 EXPUNGE")',
            b"(" + NILS + b'NIL NIL "\xff")',
            b"(" + NILS + b"NIL NIL {9}\r\nabc)",
            b"(" + NILS + b"NIL NIL {1}\r\nabc)",
            b"(" + NILS + b"NIL NIL ~{1}\r\na)",
            b"(" + NILS + b"NIL NIL {1}\r\n\0)",
            b"(" + NILS + b"NIL () NIL)",
        ):
            self.assertFalse(is_envelope(bad), bad)

    def test_a_structure_is_one_list_and_nothing_else(self) -> None:
        nested = b'Content-Type: multipart/mixed; boundary="("\r\n\r\n--(\r\n\r\nx\r\n--(--\r\n'
        for good in (
            b'("text" "pl(ain" ("charset" {2}\r\n))) NIL 12)',
            b"(())",
            summarise(nested).body_structure,
        ):
            self.assertTrue(is_structure(good), good)
        for bad in (
            b"",
            b"()()",
            b"(()",
            b"())",
            b"(a)",
            b'("a\r\nb")',
            b"({9}\r\nabc)",
            b"(1) FLAGS ()",
            b"(\0)",
        ):
            self.assertFalse(is_structure(bad), bad)

    def test_usual_forms_are_found_where_nothing_can_be_mistaken_for_them(self) -> None:
        envelope = b"(" + NILS + b'NIL NIL "<a@b>")'
        part = b'("text" "plain" ("charset" "x") NIL NIL "7bit" 5 1 NIL ("inline" ("filename" "a (b")) NIL)'
        mixed = b"(" + part * 2 + b' "mixed" ("boundary" "x") NIL NIL NIL)'
        for structure in (part, mixed):
            text = b"(UID 7 RFC822.SIZE 5 FLAGS (\\Seen) ENVELOPE %b BODYSTRUCTURE %b)" % (
                envelope,
                structure,
            )
            self.assertEqual(usual_forms(text), (envelope, structure))
            self.assertTrue(is_envelope(envelope) and is_structure(structure))
        self.assertEqual(usual_forms(b"(UID 7 BODYSTRUCTURE %b)" % part), (None, part))
        self.assertEqual(usual_forms(b"(ENVELOPE %b UID 7)" % envelope), (envelope, None))
        for text in (
            b"(UID 7 ENVELOPE %bx)" % envelope,
            b"(UID 7 ENVELOPE %b) (" % envelope,
            b'(UID 7 X "a ENVELOPE %b")' % envelope,
            b"(UID 7 X (a) (ENVELOPE %b))" % envelope,
            b"(UID 7 BODYSTRUCTURE %b))" % part,
            b"",
        ):
            self.assertEqual(usual_forms(text), (None, None), text)

    def test_ids_and_entries(self) -> None:
        self.assertEqual(object_id("M-1_a"), "M-1_a")
        for bad in ("", "a b", "a)", "a\r\n", "x" * 256, None):
            self.assertIsNone(object_id(bad))
        self.assertTrue(is_entry("/private/Comment") and is_entry("/shared/vendor/x/y"))
        for name in (
            "/private",
            "/private/a b",
            "/private/a\r\n",
            "comment",
            "/other/a",
            "/private//a",
            "/private/*",
        ):
            self.assertFalse(is_entry(name), name)

    def test_flags_that_are_none_are_left_out(self) -> None:
        kept = FlagKeeper().kept
        usual = kept(frozenset({"\\Seen", "$Work"}))
        self.assertIs(kept(frozenset({"\\Seen", "\\Recent", "$Work"})), usual)
        raw = {"\\SEEN", "\\Odd", "a b", "x)\r\n* 1 EXPUNGE", "$Work", "", "k" * 256, "\u00fc", "\\Recent"}
        self.assertIs(kept(frozenset(raw)), usual)
        self.assertEqual(
            kept(frozenset(f"{number}" * 50 for number in range(900)) | {"\\Draft"}), {"\\Draft"}
        )

    def test_no_more_keywords_are_kept_than_a_mailbox_of_ours_has(self) -> None:
        keeper = FlagKeeper()
        found = [
            keeper.kept(frozenset({f"k{number}", "\\Seen"})) for number in range(MAX_MAILBOX_KEYWORDS + 50)
        ]
        self.assertEqual(len(frozenset().union(*found)), MAX_MAILBOX_KEYWORDS + 1)
        self.assertIs(found[-1], found[-2])
        keeper = FlagKeeper()
        for number in range(MAX_COMBINED_KEYWORDS):
            keeper.kept(frozenset({f"a{number % 300}", f"b{number // 300}"}))
        self.assertLessEqual(len(keeper._kept), MAX_COMBINED_KEYWORDS + 2 ** len(SYSTEM_FLAGS))


def lie(kind: object, what: bytes = b"", where: int = 0) -> Lie:
    """A lie that puts in, or says, what contains ``what``."""
    texts = [place for place, each in enumerate(EXTRAS) if what in each]
    return Lie(LIES.index(kind), where, texts[0])  # type: ignore[arg-type]


class ProxyTests(SynchronousTestCase):
    """Dialogues with a proxy, whose other server lies."""

    def begin(self, *, modern: bool = True, messages: int = 4) -> Proxy:
        self.proxy = Proxy(modern=modern)
        for number in range(messages):
            self.proxy.shelf.add(b"Subject: %d\r\n\r\nText.\r\n" % number)
        self.addCleanup(self.proxy.close)
        self.say("LOGIN alice secret")
        self.assertIn(b"t OK", self.say("SELECT INBOX"))
        return self.proxy

    def say(self, command: str) -> bytes:
        return self.proxy.exchange(f"t {command}\r\n".encode())

    def lies(self, *lies: Lie) -> None:
        self.proxy.lies = iter(lies)

    def test_ranges_of_everything_take_no_memory_and_no_time(self) -> None:
        proxy = self.begin()
        proxy.shelf.flag(2, frozenset({b"\\Deleted"}))
        self.say("NOOP")
        [server] = [each for each in proxy.connections if each.told]
        server._search = lambda rest: b"* ESEARCH UID ALL 1:4294967295\r\n"  # type: ignore[method-assign]
        self.assertIn(b"t NO [UNAVAILABLE]", self.say("EXPUNGE"))
        proxy.shelf.modseq += 1
        server.send(b"* 4 EXISTS\r\n* 3 EXISTS\r\n")
        server._fetch = lambda rest: b"* VANISHED (EARLIER) 1:4294967295\r\n"  # type: ignore[method-assign]
        self.assertRegex(self.say("NOOP"), rb"\A(\* 2 FETCH .*\r\n)?t OK NOOP completed\r\n\Z")

    def test_a_mailbox_has_no_more_messages_than_the_limit(self) -> None:
        self.patch(_checked, "MOST_MESSAGES", 3000)
        self.proxy = Proxy()
        self.addCleanup(self.proxy.close)
        self.proxy.shelf.messages = {uid: (frozenset(), 1, b"") for uid in range(1, 6000)}
        self.say("LOGIN alice secret")
        self.assertIn(b"t NO [UNAVAILABLE]", self.say("SELECT INBOX"))

    def test_a_list_without_an_end_is_given_up(self) -> None:
        proxy = self.begin()
        for server in proxy.connections:
            server._list = lambda rest: b"".join(b'* LIST () "/" n%d\r\n' % each for each in range(300))  # type: ignore[method-assign]
        self.assertIn(b"t NO [UNAVAILABLE]", self.say('LIST "" *'))

    def test_nothing_is_written_into_our_responses(self) -> None:
        self.begin()
        self.lies(*[lie(_insert, b"{14}")] * 8)
        self.say("NOOP")
        self.lies(lie(_insert, b"ENVELOPE", where=1))
        found = self.say("FETCH 1:2 (ENVELOPE BODYSTRUCTURE)")
        self.assertEqual(re.findall(rb"(?m)^\* ([0-9]+ [A-Z]+)", found), [b"1 FETCH", b"2 FETCH"])
        self.assertNotIn(b'x"y', found)

    def test_who_goes_on_without_an_end_is_left(self) -> None:
        self.begin()
        self.lies(lie(_drip))
        self.assertIn(b"t NO [UNAVAILABLE]", self.say('LIST "" *'))
        self.assertLess(self.proxy.longest, LONGEST + 60)

    def test_who_says_nothing_more_is_asked_again_over_another_connection(self) -> None:
        self.begin()
        self.lies(lie(_stop))
        self.assertIn(b"t OK", self.say('LIST "" *'))
        self.assertLess(self.proxy.longest, 400)

    def test_one_body_that_does_not_come_stops_nobody_else(self) -> None:
        proxy = self.begin()
        first = proxy.client
        self.lies(lie(_stop, where=40))
        first.send(b"t FETCH 1 (BODY.PEEK[])\r\n")
        proxy.settle()
        proxy.longest = 0
        proxy.connect()
        self.assertIn(b"t OK", self.say("LOGIN alice secret"))
        self.assertIn(b"t OK", self.say("SELECT INBOX"))
        self.assertIn(b"Text.", self.say("FETCH 2 (BODY.PEEK[])"))
        self.assertLess(proxy.longest, 1)
        self.assertEqual(first.read(), b"")
        first.drop()

    def test_modseqs_that_are_lost_are_told_anew(self) -> None:
        """As when Dovecot makes its index anew."""
        proxy = self.begin()
        for uid in (1, 2, 3):
            proxy.shelf.flag(uid, frozenset({b"\\Seen"}))
        proxy.push()
        self.say("NOOP")
        proxy.shelf.modseq = 2
        proxy.shelf.messages = {
            uid: (frozenset({b"\\Draft"}), 2, octets)
            for uid, (_, _, octets) in proxy.shelf.messages.items()
            if uid != 3
        }
        proxy.push()
        told = self.say("NOOP")
        self.assertEqual(re.findall(rb"\* ([0-9]) FETCH", told), [b"1", b"2", b"4"])
        self.assertIn(b"* 3 EXPUNGE", told)

    def test_another_uidvalidity_ends_the_session(self) -> None:
        for modern in (True, False):
            proxy = self.begin(modern=modern)
            proxy.shelf.validity += 1
            proxy.shelf.flag(1, frozenset({b"\\Seen"}))
            proxy.push()
            proxy.client.send(b"t NOOP\r\n")
            self.assertIn(b"* BYE", proxy.settle())
