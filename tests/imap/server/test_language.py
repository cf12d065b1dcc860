"""LANGUAGE (RFC 5255 3)."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase


class LanguageTests(DialogueTestCase):
    def test_languages(self) -> None:
        self.connect()
        self.talk(
            """
            C: a LANGUAGE
            S: * LANGUAGE ("en" "i-default")
            S: a OK LANGUAGE completed
            C: b LANGUAGE FR-CA EN-CA
            S: * LANGUAGE ("en")
            S: b OK LANGUAGE completed
            C: c LANGUAGE i-default
            S: * LANGUAGE ("i-default")
            S: c OK LANGUAGE completed
            C: d LANGUAGE "default"
            S: * LANGUAGE ("en")
            S: d OK LANGUAGE completed
            C: e LANGUAGE MUL
            S: e NO None of these languages is supported
            C: f LANGUAGE "en us"
            S: f BAD Expected a language range
            C: g LANGUAGE ("en")
            S: g BAD Expected a string
            """
        )

    def test_many(self) -> None:
        client = self.sign_in()
        client.send(b"a LANGUAGE" + b" x-y-z" * 101 + b"\r\n")
        self.assertEqual(client.received(), b"a BAD Too many languages\r\n")


class IdTests(DialogueTestCase):
    def test_the_longest_id_before_login(self) -> None:
        """Thirty fields, with values of 1,024 octets (RFC 2971 3.3)."""
        quoted = b" ".join(b'"%030d" "%b"' % (number, b"x" * 1024) for number in range(30))
        literals = b" ".join(b'"%030d" {1024+}\r\n%b' % (number, b"x" * 1024) for number in range(30))
        for fields in (quoted, literals):
            client = self.connect()
            client.send(b"a ID (%b)\r\n" % fields)
            self.assertEqual(client.received(), b'* ID ("name" "mailproto")\r\na OK ID completed\r\n')
            client.send(b'b ID (%b "one" "more")\r\n' % fields)
            self.assertEqual(client.received(), b"b BAD ID too long\r\n")
