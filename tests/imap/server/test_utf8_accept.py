"""UTF8=ACCEPT (RFC 6855)."""

from __future__ import annotations

from mailproto.model import Part
from tests.imap.server.dialogue import Client, DialogueTestCase, run

INTERNATIONAL = "From: Zoë <zoë@exämple.org>\r\nSubject: Grüße\r\n\r\nHallo\r\n".encode()


class UTF8TestCase(DialogueTestCase):
    def enable(self, select: str = "") -> Client:
        client = self.sign_in()
        client.send(b"e ENABLE UTF8=ACCEPT\r\n")
        self.assertEqual(client.received(), b"* ENABLED UTF8=ACCEPT\r\ne OK ENABLE completed\r\n")
        if select:
            client.send(b"s SELECT %b\r\n" % select.encode())
            client.received()
        return client

    def say(self, client: Client, command: str | bytes) -> bytes:
        client.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        for _ in range(20):
            self.clock.advance(0)
        return client.received()


class NameTests(UTF8TestCase):
    def test_mailbox_names(self) -> None:
        client = self.enable()
        self.assertIn(b"a OK", self.say(client, 'a CREATE "Entwürfe & mehr"'))
        self.assertEqual(
            self.say(client, 'a LIST "" "Entw*"'),
            '* LIST (\\HasNoChildren) "/" "Entwürfe & mehr"\r\na OK LIST completed\r\n'.encode(),
        )
        self.assertIn(
            '* STATUS "Entwürfe & mehr" (MESSAGES 0)'.encode(),
            self.say(client, 'a STATUS "Entwürfe & mehr" (MESSAGES)'),
        )
        self.assertIn(b"a OK", self.say(client, 'a SUBSCRIBE "Entwürfe & mehr"'))
        self.assertIn('"Entwürfe & mehr"'.encode(), self.say(client, 'a LSUB "" "E*"'))
        literal = "Entwürfe & mehr".encode()
        self.assertIn(b"a OK", self.say(client, b"a SELECT {%d+}\r\n%b" % (len(literal), literal)))
        other = self.sign_in("other")
        self.assertIn(b'"Entw&APw-rfe &- mehr"', self.say(other, 'a LIST "" "E*"'))

    def test_names_that_are_not_allowed(self) -> None:
        client = self.enable()
        for name in ("a\u0085b", "a\u2028b", "a\u2029b", "a\x7fb", "a\x01b"):
            self.assertIn(b"a NO [CANNOT]", self.say(client, f'a CREATE "{name}"'), ascii(name))

    def test_before_it_is_enabled(self) -> None:
        self.assertIn(b"a NO [CANNOT]", self.say(self.sign_in(), 'a CREATE "Entwürfe"'))

    def test_quoted_strings_that_are_not_utf8(self) -> None:
        client = self.enable("INBOX")
        for command in (b'a CREATE "a\xff"', b'a SEARCH SUBJECT "\xc3"', b'a LIST "" "\xed\xa0\x80"'):
            self.assertIn(b"a BAD ", self.say(client, command))


class SearchTests(UTF8TestCase):
    def test_text_is_utf8_and_has_no_charset(self) -> None:
        self.inbox.add(INTERNATIONAL, (), 0)
        client = self.enable("INBOX")
        self.assertIn(b"* SEARCH 1\r\n", self.say(client, 'a SEARCH SUBJECT "GRÜSSE"'.replace("SS", "ß")))
        self.assertIn(b"a BAD CHARSET ", self.say(client, "a SEARCH CHARSET UTF-8 ALL"))
        other = self.sign_in("other", select="INBOX")
        self.assertIn(b"* SEARCH 1\r\n", self.say(other, "a SEARCH CHARSET UTF-8 ALL"))


class AppendTests(UTF8TestCase):
    def stored(self) -> list[bytes]:
        uids = list(range(1, run(self.inbox.status()).uid_next))
        return [bytes(info.content) for info in run(self.inbox.read(uids, Part.CONTENT))]

    def append(
        self, client: Client, before: bytes, octets: bytes = INTERNATIONAL, after: bytes = b""
    ) -> bytes:
        return self.say(client, b"a APPEND INBOX %b{%d+}\r\n%b%b" % (before, len(octets), octets, after))

    def test_a_message_in_utf8(self) -> None:
        client = self.enable()
        self.assertIn(b"a OK [APPENDUID", self.append(client, b"(\\Seen) UTF8 (~", after=b")"))
        self.assertIn(b"a OK [APPENDUID", self.append(client, b"", after=b" UTF8 (~{1+}\r\nx)"))
        self.assertEqual(self.stored(), [INTERNATIONAL, INTERNATIONAL, b"x"])
        self.assertIn(b"a BAD", self.append(client, b"UTF8 (~", after=b""))
        self.assertIn(b"a BAD", self.append(client, b"UTF8 ~"))

    def test_catenate(self) -> None:
        client = self.enable()
        said = self.append(client, b"CATENATE (UTF8 (~", after=b") TEXT {1+}\r\nx)")
        self.assertIn(b"a OK", said)
        self.assertEqual(self.stored(), [INTERNATIONAL + b"x"])

    def test_clients_that_have_not_enabled_it(self) -> None:
        client = self.sign_in()
        self.assertEqual(self.append(client, b"UTF8 (~", after=b")"), b"a BAD Enable UTF8=ACCEPT first\r\n")
        self.assertEqual(self.stored(), [])
        octets = (INTERNATIONAL, b"Subject: caf\xe9\r\n\r\n", "Subject: x\r\n\r\nGrüße\r\n".encode())
        for each in octets:
            self.assertIn(b"a OK", self.append(client, b"", each), each)
        self.assertEqual(self.stored(), list(octets))


class FetchTests(UTF8TestCase):
    def test_quoted_strings(self) -> None:
        self.inbox.add(
            b"Content-Type: text/plain; name*=UTF-8''gr%C3%BC%C3%9Fe.txt\r\n" + INTERNATIONAL, (), 0
        )
        client = self.enable("INBOX")
        said = self.say(client, "a FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)")
        self.assertIn('ENVELOPE (NIL "Grüße" (("Zoë" NIL "zoë" "exämple.org"))'.encode(), said)
        self.assertEqual(said.count('("name*" "grüße.txt"'.encode()), 2)
        self.assertNotIn(b"{", said)
        other = self.sign_in("other", select="INBOX")
        self.assertIn("ENVELOPE (NIL {7}\r\nGrüße".encode(), self.say(other, "a FETCH 1 ENVELOPE"))

    def test_what_is_written_anew_at_once_is_limited(self) -> None:
        """The others have literals, as for any client."""
        for _ in range(5):
            self.inbox.add(b"To: " + ", ".join(["Zoë <z@e>"] * 300).encode() + b"\r\n\r\n", (), 0)
        said = self.say(self.enable("INBOX"), "a FETCH 1:* ENVELOPE")
        self.assertEqual((said.count('(("Zoë"'.encode()), said.count("(({4}\r\nZoë".encode())), (2, 3))
        self.assertIn(b"a OK", said)
