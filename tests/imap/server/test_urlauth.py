"""URLAUTH (RFC 4467)."""

from __future__ import annotations

import re
from typing import Any

from mailproto.imap.server import _urlauth
from mailproto.model import Part
from tests.imap.server.dialogue import Client, DialogueTestCase, run
from tests.imap.server.test_binary import multipart

MESSAGE = b"Subject: Report\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nfirst\r\n--x--\r\n"
URL = b"imap://alice@mail.example.org/INBOX/;UID=1"


class URLTestCase(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(MESSAGE, (), 0)
        run(self.store.directory.add("bob", ""))
        self.alice = self.sign_in("alice")
        self.bob = self.sign_in_as("bob")

    def sign_in_as(self, name: str) -> Client:
        client = self.connect(name)
        client.send(b"a LOGIN %b secret\r\n" % name.encode())
        client.received()
        return client

    def say(self, client: Client, command: bytes) -> bytes:
        client.send(command + b"\r\n")
        for _ in range(10):
            self.clock.advance(0)
        return client.received()

    def made(self, rump: bytes) -> bytes:
        """A URL that alice has made."""
        said = self.say(self.alice, b'a GENURLAUTH "%b" INTERNAL' % rump)
        found = re.fullmatch(rb'\* GENURLAUTH "(.*)"\r\na OK GENURLAUTH completed\r\n', said)
        assert found is not None, said
        return found[1]

    def fetched(self, url: bytes, client: Client | None = None) -> bytes | None:
        said = self.say(client or self.bob, b'a URLFETCH "%b"' % url)
        self.assertIn(b"a OK URLFETCH completed\r\n", said)
        if said.startswith(b'* URLFETCH "%b" NIL\r\n' % url):
            return None
        found = re.match(rb'\* URLFETCH "[^"]*" \{(\d+)\}\r\n', said)
        assert found is not None, said
        return said[found.end() : found.end() + int(found[1])]


class FetchTests(URLTestCase):
    def test_others_get_what_the_url_names(self) -> None:
        for part, octets in (
            (b"", MESSAGE),
            (b"/;SECTION=1", b"first"),
            (b"/;SECTION=HEADER.FIELDS%20(SUBJECT)", b"Subject: Report\r\n\r\n"),
            (b"/;SECTION=1/;PARTIAL=1.3", b"irs"),
        ):
            url = self.made(URL + part + b";URLAUTH=authuser")
            self.assertTrue(url.startswith(URL + part + b";URLAUTH=authuser:internal:"))
            self.assertEqual(self.fetched(url), octets, url)

    def test_who_may_use_it(self) -> None:
        for access, bob, alice in (
            (b"anonymous", True, True),
            (b"authuser", True, True),
            (b"user+bob", True, False),
            (b"user+alice", False, True),
            (b"submit+bob", True, False),
        ):
            url = self.made(URL + b";URLAUTH=" + access)
            got = self.fetched(url, self.bob) is not None, self.fetched(url, self.alice) is not None
            self.assertEqual(got, (bob, alice), access)

    def test_names_without_a_domain(self) -> None:
        """The owner is in the domain of who reads the URL, and its reader in that of the owner."""
        for name in ("dora@example.org", "eve@example.org", "eve@example.net"):
            run(self.store.directory.add(name, ""))
            self.passwords[name.encode()] = b"secret"
        run(run(self.store.account("dora@example.org")).open("INBOX")).add(MESSAGE, (), 0)
        self.alice = self.sign_in_as("dora@example.org")
        for user, access, near, far in (
            (b"dora", b"user+eve@example.org", True, False),
            (b"DORA", b"user+eve", True, False),
            (b"dora@example.org", b"user+eve", True, False),
            (b"dora", b"user+eve@example.net", False, False),
            (b"dora@example.org", b"user+eve@example.net", False, True),
        ):
            url = self.made(b"imap://%b@x/INBOX/;UID=1;URLAUTH=%b" % (user.replace(b"@", b"%40"), access))
            for domain, there in (("example.org", near), ("example.net", far)):
                reader = self.sign_in_as(f"eve@{domain}")
                self.assertEqual(self.fetched(url, reader) is not None, there, (url, domain))
        said = self.say(self.alice, b'a GENURLAUTH "imap://eve@x/INBOX/;UID=1;URLAUTH=authuser" INTERNAL')
        self.assertTrue(said.startswith(b"a NO [BADURL "), said)

    def test_a_url_that_was_changed(self) -> None:
        url = self.made(URL + b";URLAUTH=user+alice")
        for changed in (
            url.replace(b"user+alice", b"user+bob"),
            url.replace(b"user+alice", b"anonymous"),
            url.replace(b"UID=1", b"UID=1/;SECTION=1"),
            url[:-1] + (b"0" if url[-1:] != b"0" else b"1"),
            url[:-64] + b"0" * 64,
            url.replace(b":internal:", b":other:"),
            url.partition(b":internal:")[0],
            URL,
            b"nothing",
        ):
            for client in (self.alice, self.bob):
                self.assertIsNone(self.fetched(changed, client), changed)

    def test_keys_that_are_reset(self) -> None:
        run(self.account.open("Sent")).add(MESSAGE, (), 0)
        inbox = self.made(URL + b";URLAUTH=anonymous")
        sent = self.made(URL.replace(b"INBOX", b"Sent") + b";URLAUTH=anonymous")
        self.assertEqual(
            self.say(self.alice, b"a RESETKEY INBOX"), b"a OK [URLMECH INTERNAL] RESETKEY completed\r\n"
        )
        self.assertEqual((self.fetched(inbox), self.fetched(sent)), (None, MESSAGE))
        again = self.made(URL + b";URLAUTH=anonymous")
        self.assertNotEqual(again, inbox)
        self.assertEqual((self.fetched(inbox), self.fetched(again)), (None, MESSAGE))
        self.assertIn(b"a OK", self.say(self.alice, b"a RESETKEY"))
        self.assertEqual((self.fetched(again), self.fetched(sent)), (None, None))

    def test_urls_that_expire(self) -> None:
        for date, there in (
            (b"2999-12-31T23:59:59Z", True),
            (b"2999-12-31T23:59:59.5+01:00", True),
            (b"2006-12-31T23:59:59Z", False),
        ):
            url = self.made(URL + b";EXPIRE=" + date + b";URLAUTH=anonymous")
            self.assertEqual(self.fetched(url) is not None, there, date)

    def test_uid_validity_and_messages_that_are_gone(self) -> None:
        validity = self.inbox.uid_validity
        for number, there in ((validity, True), (validity + 1, False)):
            rump = b"imap://alice@x/INBOX;UIDVALIDITY=%d/;UID=1;URLAUTH=anonymous" % number
            self.assertEqual(self.fetched(self.made(rump)) is not None, there)
        for part in (b"imap://alice@x/INBOX/;UID=9", URL + b"/;SECTION=7"):
            self.assertIsNone(self.fetched(self.made(part + b";URLAUTH=anonymous")))

    def test_several(self) -> None:
        url = self.made(URL + b"/;SECTION=1;URLAUTH=anonymous")
        self.assertEqual(
            self.say(self.bob, b'a URLFETCH "%b" nothing "%b"' % (url, url)),
            b'* URLFETCH "%b" {5}\r\nfirst\r\n* URLFETCH "nothing" NIL\r\n* URLFETCH "%b" {5}\r\nfirst\r\n'
            b"a OK URLFETCH completed\r\n" % (url, url),
        )

    def test_nothing_but_empty_octets(self) -> None:
        url = self.made(URL + b"/;SECTION=1/;PARTIAL=9.1;URLAUTH=anonymous")
        self.assertIn(b" {0}\r\n\r\n", self.say(self.bob, b'a URLFETCH "%b"' % url))


PLAIN = b'(BODYPARTSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL %b NIL NIL NIL NIL))'


class BinaryTests(URLTestCase):
    """RFC 5524."""

    def setUp(self) -> None:
        super().setUp()
        parts = (("base64", b"aGVs\r\nbG8="), ("x-strange", b"secret"), ("base64", b"AAH/"))
        self.inbox.add(multipart(*parts), (), 0)

    def fetch(self, part: bytes, forms: bytes) -> bytes:
        url = self.made(URL.replace(b"UID=1", b"UID=2") + part + b";URLAUTH=anonymous")
        said = self.say(self.bob, b'a URLFETCH ("%b"%b)' % (url, forms))
        beginning, end = b'* URLFETCH "%b" ' % url, b"\r\na OK URLFETCH completed\r\n"
        self.assertTrue(said.startswith(beginning) and said.endswith(end), said)
        return said[len(beginning) : -len(end)]

    def test_decoded_parts_and_their_structure(self) -> None:
        for part, forms, answer in (
            (b"/;SECTION=1", b" BODY", b"(BODY {10}\r\naGVs\r\nbG8=)"),
            (b"/;SECTION=1", b"", b"{10}\r\naGVs\r\nbG8="),
            (b"/;SECTION=1", b" BINARY", b"(BINARY {5}\r\nhello)"),
            (b"/;SECTION=1/;PARTIAL=1.2", b" binary", b"(BINARY {2}\r\nel)"),
            (b"/;SECTION=1", b" BODYPARTSTRUCTURE", PLAIN % b'"base64" 10 1'),
            (
                b"/;SECTION=1",
                b" BINARY BODYPARTSTRUCTURE",
                PLAIN % b'"7bit" 5 0' + b" (BINARY {5}\r\nhello)",
            ),
            (b"/;SECTION=2", b" BINARY", b"(BINARY NIL)"),
            (
                b"/;SECTION=3",
                b" BODYPARTSTRUCTURE BINARY",
                PLAIN % b'"binary" 3 0' + b" (BINARY ~{3}\r\n\0\1\xff)",
            ),
            (b"/;SECTION=9", b" BINARY", b"NIL"),
        ):
            self.assertEqual(self.fetch(part, forms), answer, (part, forms))

    def test_what_is_wrong(self) -> None:
        for command in (b"(x BODY BINARY)", b"(x WORD)", b"(x BODY", b"()"):
            self.assertIn(b"a BAD ", self.say(self.bob, b"a URLFETCH " + command))
        self.assertIn(b'* URLFETCH "x" NIL', self.say(self.bob, b"a URLFETCH (x BINARY)"))


class GenerateTests(URLTestCase):
    def test_what_is_wrong(self) -> None:
        rump = URL + b";URLAUTH=anonymous"
        for command, answer in (
            (b"GENURLAUTH", b"a BAD "),
            (b"GENURLAUTH " + rump, b"a BAD "),
            (b"GENURLAUTH " + rump + b" OTHER", b"a BAD Unknown mechanism"),
            (b"GENURLAUTH " + URL + b" INTERNAL", b"a BAD Expected a URL with"),
            (b"GENURLAUTH " + self.made(rump) + b" INTERNAL", b"a BAD Expected a URL with"),
            (b"GENURLAUTH /INBOX/;UID=1;URLAUTH=anonymous INTERNAL", b"a BAD Expected a URL with"),
            (b"GENURLAUTH " + rump.replace(b"alice", b"bob") + b" INTERNAL", b"a NO [BADURL "),
            (b"GENURLAUTH " + rump.replace(b"INBOX", b"Nowhere") + b" INTERNAL", b"a NO [BADURL "),
            (b"GENURLAUTH " + URL + b";URLAUTH=everybody INTERNAL", b"a NO [BADURL "),
            (
                b"GENURLAUTH " + URL + b";EXPIRE=2006-99-31T23:59:59Z;URLAUTH=anonymous INTERNAL",
                b"a NO [BADURL ",
            ),
            (b"RESETKEY Nowhere", b"a NO [NONEXISTENT] "),
            (b"RESETKEY INBOX OTHER", b"a BAD Unknown mechanism"),
            (b"URLFETCH", b"a BAD "),
        ):
            self.assertTrue(self.say(self.alice, b"a " + command).startswith(answer), command)

    def test_tokens_are_long_and_belong_to_a_key(self) -> None:
        url = self.made(URL + b";urlauth=anonymous")
        self.assertRegex(url, rb";urlauth=anonymous:internal:01[0-9a-f]{64}\Z")
        self.assertNotEqual(_urlauth.token(b"a" * 32, URL), _urlauth.token(b"b" * 32, URL))


class CatenateTests(URLTestCase):
    def catenated(self, url: bytes) -> bytes:
        return self.say(self.bob, b'a APPEND INBOX CATENATE (TEXT {1+}\r\nx URL "%b")' % url)

    def test_parts_of_messages_of_others(self) -> None:
        self.assertIn(b"a OK", self.catenated(self.made(URL + b"/;SECTION=1;URLAUTH=user+bob")))
        account: Any = run(self.store.account("bob"))
        [info] = run(run(account.open("INBOX")).read([1], Part.CONTENT))
        self.assertEqual(bytes(info.content), b"xfirst")

    def test_only_with_a_token(self) -> None:
        for url in (URL, URL + b";URLAUTH=anonymous", self.made(URL + b";URLAUTH=user+alice")):
            self.assertIn(b"a NO [BADURL ", self.catenated(url))
