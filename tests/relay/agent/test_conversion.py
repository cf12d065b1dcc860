"""What is done for servers that cannot take a message as it is."""

from __future__ import annotations

from pathlib import Path

import dkim

from mailproto.dkim import KeyFolder, signatures
from mailproto.model import Outcome, QueueState
from tests.relay.agent.world import World
from tests.smtp.client.network import serving

SENT, FAILED = QueueState.SENT, QueueState.FAILED

EIGHT = "8BITMIME"
TEXT = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\nsome text about a caf\xc3\xa9\r\n"
)


class ConversionTests(World):
    def setUp(self) -> None:
        super().setUp()
        self.agent.start()

    def offers(self, *keywords: str) -> None:
        lines = ["mx.example", "PIPELINING", *keywords]
        ehlo = "\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])
        self.servers["10.0.0.1"] = serving(EHLO=ehlo)

    def outcomes(self) -> list[tuple[QueueState, Outcome]]:
        self.run_for(10)
        return self.states("bob@there.example")

    def outcome(self) -> tuple[QueueState, str]:
        self.run_for(10)
        [(state, outcome)] = self.states("bob@there.example")
        return state, outcome.enhanced

    def test_a_server_with_8bitmime_gets_it_as_it_is(self) -> None:
        self.offers("8BITMIME")
        self.send("bob@there.example", content=TEXT)
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        self.assertEqual(self.network.taken[0][1], TEXT[:-2])

    def test_another_one_gets_it_encoded(self) -> None:
        self.send("bob@there.example", content=TEXT)
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        [(_, content)] = self.network.taken
        self.assertIn(
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\nsome text about a caf=C3=A9", content
        )

    def test_ascii_is_not_changed(self) -> None:
        self.send("bob@there.example", content=TEXT.replace(b"\xc3\xa9", b"e"))
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        self.assertIn(b"Content-Transfer-Encoding: 8bit", self.network.taken[0][1])

    def test_binary_is_encoded(self) -> None:
        self.offers("8BITMIME")
        content = TEXT.replace(b"8bit", b"binary") + b"\0bare\nLF"
        self.send("bob@there.example", content=content, parameters={"BODY": "BINARYMIME"})
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        self.assertIn(b"base64", self.network.taken[0][1])

    def test_what_is_signed_is_returned(self) -> None:
        signed = (
            b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa9\r\n--s\r\n"
            b"Content-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n"
        )
        self.send("bob@there.example", content=signed)
        self.assertEqual(self.outcome(), (FAILED, "5.6.3"))
        self.assertIn(
            "cannot be converted: what is signed must not be changed", " ".join(self.reports()[0].split())
        )

    def test_a_dkim_signature_does_not_keep_it_here(self) -> None:
        self.send("bob@there.example", content=b"DKIM-Signature: v=1; a=rsa-sha256\r\n" + TEXT)
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))

    def test_a_header_that_was_not_declared_is_encoded(self) -> None:
        header = "From: J\u00fcrgen <j@a.example>\r\nX: a\r\n b\r\nSubject: Pr\u00fc\r\n fung\r\n"
        for offered in ("8BITMIME", "SIZE"):
            self.offers(offered)
            self.send("bob@there.example", content=(header + "\r\ncaf\u00e9\r\n").encode())
            self.assertEqual([state for state, _ in self.outcomes()], [SENT])
            [(_, content)] = self.network.taken
            self.network.taken.clear()
            self.queue.done.clear()
            self.assertTrue(
                content.startswith(
                    b"From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\r\nX: a\r\n b\r\n"
                    b"Subject: =?utf-8?q?Pr=C3=BC?= fung\r\n"
                )
            )

    def test_an_unknown_charset(self) -> None:
        self.send("bob@there.example", content=b"Subject: Pr\xfcfung\r\n\r\nHi.\r\n")
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        self.assertIn(b"Subject: =?unknown-8bit?q?Pr=FCfung?=\r\n", self.network.taken[0][1])

    def test_a_server_with_smtputf8_gets_the_header_as_it_is(self) -> None:
        self.offers("8BITMIME", "SMTPUTF8")
        self.send("bob@there.example", content="Subject: Pr\u00fcfung\r\n\r\nHi.\r\n".encode())
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        self.assertIn("Subject: Pr\u00fcfung".encode(), self.network.taken[0][1])

    def test_headers_of_parts_are_encoded(self) -> None:
        """Many clients write names of files as they are."""
        content = (
            "Subject: x\r\nReferences: <é@a.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
            'Content-Disposition: attachment; filename="Größe.pdf"\r\n\r\nx\r\n--b\r\n'
            "Content-Type: message/rfc822\r\n\r\nSubject: Prüfung\r\n\r\ncafé\r\n--b--\r\n"
        ).encode()
        self.send("bob@there.example", content=content)
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        taken = self.network.taken[0][1]
        self.assertTrue(taken.isascii())
        self.assertIn(b"Downgraded-References: =?utf-8?b?PMOpQGEuZXhhbXBsZT4=?=\r\n", taken)
        self.assertIn(b"Content-Disposition: attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.pdf\r\n", taken)
        self.assertIn(b"Subject: =?utf-8?q?Pr=C3=BCfung?=\r\n", taken)

    def test_addresses_of_others_who_got_it_become_text(self) -> None:
        """In groups without addresses (RFC 6857 3.1.7); answers to the others still work."""
        for charset, word in (
            ("utf-8", b"=?utf-8?q?=C3=A9=40a=2Eexample?="),
            ("latin-1", b"=?unknown-8bit?"),
        ):
            self.network.taken.clear()
            self.queue.done.clear()
            header = "To: \u00e9@a.example, carol@b.example\r\nCc: Al \u00dc. <\u00fc@a.example>\r\n"
            self.send("bob@there.example", content=f"{header}\r\nHi.\r\n".encode(charset))
            self.assertEqual(self.outcome(), (SENT, "2.0.0"))
            [(_, content)] = self.network.taken
            self.assertTrue(content.isascii())
            self.assertIn(b"To: " + word, content)
            self.assertIn(b" :;, carol@b.example\r\nCc: ", content)
            self.assertEqual(content.count(b":;"), 2)

    def test_addresses_that_are_answered_have_no_other_form(self) -> None:
        for name in ("From", "Reply-To", "Sender"):
            self.queue.done.clear()
            self.send("bob@there.example", content=f"{name}: \u00e9@a.example\r\n\r\nHi.\r\n".encode())
            self.assertEqual(self.outcome(), (FAILED, "5.6.7"))

    def test_any_other_field_keeps_no_message_here(self) -> None:
        for name in ("DKIM-Signature", "List-Post", "ARC-Seal", "Received", "Message-ID"):
            self.network.taken.clear()
            self.queue.done.clear()
            self.send("bob@there.example", content=f"{name}: i=<\u00e9@a.example>;\r\n\r\nHi.\r\n".encode())
            self.assertEqual(self.outcome(), (SENT, "2.0.0"), name)
            self.assertTrue(self.network.taken[0][1].isascii())

    def test_international_messages_need_smtputf8(self) -> None:
        self.offers("8BITMIME")
        content = b"Subject: \xc3\xa9\r\n\r\nHi.\r\n"
        self.send("bob@there.example", content=content, parameters={"SMTPUTF8": None})
        self.assertEqual(self.outcome(), (FAILED, "5.6.7"))
        [report] = self.reports()
        self.assertNotIn("Remote-MTA", report)  # the server has not said so

    def test_also_where_there_is_no_8bitmime(self) -> None:
        content = b"Subject: \xc3\xa9\r\n\r\nHi.\r\n"
        self.send("bob@there.example", content=content, parameters={"SMTPUTF8": None})
        self.assertEqual(self.outcome(), (FAILED, "5.6.7"))

    def test_an_international_domain_needs_nothing(self) -> None:
        self.send("bob@bücher.example")
        self.run_for(10)
        self.assertEqual(self.arrived, ["bob@xn--bcher-kva.example"])

    def test_an_international_recipient_keeps_nobody_else_waiting(self) -> None:
        self.send("bob@there.example", "bücher@there.example")
        self.run_for(10)
        self.assertEqual(self.arrived[0], "bob@there.example")
        [(state, outcome)] = self.states("bücher@there.example")
        self.assertEqual((state, outcome.enhanced), (FAILED, "5.6.7"))

    def test_a_message_that_is_too_long(self) -> None:
        self.offers("SIZE 1000")
        self.send("bob@there.example", content=b"Subject: x\r\n\r\n" + b"x" * 2000 + b"\r\n")
        self.assertEqual(self.outcome(), (FAILED, "5.3.4"))

    def test_a_long_message_is_converted_in_turns(self) -> None:
        self.send("bob@there.example", content=TEXT + b"more caf\xc3\xa9s\r\n" * 50_000)
        self.assertEqual(self.outcome(), (SENT, "2.0.0"))
        [(_, content)] = self.network.taken
        self.assertEqual(content.count(b"caf=C3=A9"), 50_001)
        self.stop()


class SignatureTests(World):
    """A message that this server has signed is signed again after its conversion (RFC 6376 5.3)."""

    def setUp(self) -> None:
        self.signing_keys = KeyFolder(self.mktemp())
        self.keys = self.signing_keys.add("home.example", "mail")
        super().setUp()
        self.agent.start()

    def signed(self, content: bytes = TEXT) -> bytes:
        content = b"From: alice@home.example\r\n" + content
        return signatures(content, "home.example", self.keys) + content

    def sent(self, content: bytes) -> bytes:
        self.send("bob@there.example", content=content)
        self.run_for(10)
        [(_, taken)] = self.network.taken
        self.assertTrue(taken.isascii())
        return taken + b"\r\n"

    def valid(self, content: bytes) -> list[bool]:
        """Of each signature, from the first one."""

        def dns(name: bytes, timeout: int = 5) -> bytes | None:
            selector = name.decode().removesuffix("._domainkey.home.example.")
            return self.keys[selector].record.encode() if selector in self.keys else None

        found = []
        for number in range(content.lower().count(b"dkim-signature:")):
            try:
                found.append(bool(dkim.DKIM(content).verify(idx=number, dnsfunc=dns)))
            except dkim.DKIMException:
                found.append(False)
        return found

    def test_it_is_signed_again(self) -> None:
        self.assertEqual(self.valid(self.sent(self.signed())), [True, True])

    def test_a_long_one(self) -> None:
        content = self.sent(self.signed(TEXT + b"\xc3\xa4 and more\r\n" * 40_000))
        self.assertEqual(self.valid(content), [True, True])

    def test_with_fields_before_it(self) -> None:
        """Such as those of an alias."""
        content = self.sent(b"Delivered-To: list@home.example\r\n" + self.signed())
        self.assertTrue(content.startswith(b"Delivered-To: list@home.example\r\nDKIM-Signature:"))
        self.assertEqual(self.valid(content), [True, True])

    def test_with_the_keys_of_then(self) -> None:
        signed = self.signed()
        folder = self.signing_keys
        assert folder is not None
        folder.add("home.example", "new")
        folder.use("home.example", "new")
        self.assertEqual(self.valid(self.sent(signed)), [True, True])

    def test_a_signature_that_is_not_ours_is_not_made_good(self) -> None:
        for forged in (
            self.signed().replace(b"Subject: x", b"Subject: y"),
            self.signed().replace(b"b=", b"b=A", 1),
            self.signed().replace(b"bh=", b"bh=A", 1),
            self.signed().replace(b"d=home.example", b"d=../x"),
            self.signed().replace(b"s=mail;", b"s=../mail;"),
            self.signed().partition(b"DKIM-Signature:")[2].partition(b"DKIM-Signature:")[2],
        ):
            self.network.taken.clear()
            self.assertNotIn(True, self.valid(self.sent(forged))[:1])

    def test_a_header_that_was_changed(self) -> None:
        """By encoded words, for a server without SMTPUTF8."""
        text = TEXT.replace(b"Subject: x", b"Subject: Gr\xc3\xbc\xc3\x9fe")
        for offers in ("PIPELINING", "8BITMIME"):
            for content in (text, text.replace(b"caf\xc3\xa9", b"cafe")):
                self.network.taken.clear()
                self.run_for(10)  # until the kept connection is closed
                self.servers["10.0.0.1"] = serving(EHLO=f"250-mx.example\r\n250 {offers}")
                self.send("bob@there.example", content=self.signed(content))
                self.run_for(10)
                [(_, taken)] = self.network.taken
                self.assertIn(b"Subject: =?utf-8?", taken)
                self.assertEqual(self.valid(taken + b"\r\n"), [True, True], (offers, content))

    def test_those_of_others_are_kept(self) -> None:
        other = b"DKIM-Signature: v=1; a=rsa-sha256; d=other.example;\r\n\ts=x; h=from; bh=x; b=y\r\n"
        content = self.sent(self.signed(other + TEXT))
        self.assertIn(other, content)
        self.assertEqual(self.valid(content), [True, True, False])

    def test_what_is_not_converted_keeps_its_signatures(self) -> None:
        signed = self.signed(TEXT.replace(b"\xc3\xa9", b"e"))
        self.assertEqual(self.sent(signed), signed)

    def test_a_broken_key(self) -> None:
        signed = self.signed()
        folder = self.signing_keys
        assert folder is not None
        path = next(Path(str(folder._path)).glob("*/mail.pem"))
        path.write_text("no key")
        folder._known.clear()
        self.assertEqual(self.valid(self.sent(signed)), [False, False])
