"""Rows 26 to 28 and 35: what an address may look like (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.domains import canonical_domain
from tests.smtp.server.corner_cases.test_commands import HELLO, MAIL, SEND
from tests.smtp.server.corner_cases.transcript import TranscriptTestCase


class PathTests(TranscriptTestCase):
    def assert_taken(self, path: str, meant: str | None = None) -> None:
        """As a forward-path and as a reverse-path; ``meant`` is how we write it."""
        with self.subTest(path):
            [message] = self.play(
                HELLO + f"C: MAIL FROM:{path}\nS: 250...\nC: RCPT TO:{path}\nS: 250...\n" + SEND
            )
            meant = path[1:-1] if meant is None else meant
            self.assertEqual((message.sender, message.recipients), (meant, [meant]))

    def assert_refused(self, path: str) -> None:
        with self.subTest(path):
            self.play(HELLO + f"C: MAIL FROM:{path}\nS: 501 5.1.7...\nC: RCPT TO:<b@c>\nS: 503...")
            self.play(MAIL + f"C: RCPT TO:{path}\nS: 501 5.1.3...\nC: DATA\nS: 503...")

    def test_26_a_source_route_is_taken_and_ignored(self) -> None:
        """RFC 5321 4.1.1.3 and appendix C: mail goes to the mailbox, not to the hosts before it."""
        self.assert_taken("<@a,@b:u@d>", "u@d")
        self.assert_taken("<@a.example:u@d.example>", "u@d.example")
        self.assert_taken('<@a,@b,@c-d.example:"u v"@[192.0.2.1]>', '"u v"@[192.0.2.1]')

    def test_26_a_source_route_that_is_none(self) -> None:
        """RFC 5321 4.1.2: A-d-l is a list of @domains with a colon behind it."""
        for path in (
            "<@a,b:u@d>",
            "<@a:>",
            "<@a>",
            "<@:u@d>",
            "<a:u@d>",
            "<@a,:u@d>",
            "<@a;@b:u@d>",
            "<@a @b:u@d>",
        ):
            self.assert_refused(path)

    def test_26_other_ways_to_route_are_only_local_parts(self) -> None:
        """RFC 5321 3.6.1 and appendix F.2: ``%`` and ``!`` mean nothing but to the address's own host."""
        self.assert_taken("<user%elsewhere.example@mx.example>")
        self.assert_taken("<elsewhere.example!user@mx.example>")
        self.assert_taken('<"user@elsewhere.example"@mx.example>')

    def test_27_quoted_local_parts(self) -> None:
        """RFC 5321 4.1.2: understood, and quoted again only where they must be."""
        self.assert_taken(r'<"a b\"@"@d>', r'"a b\"@"@d')
        self.assert_taken(r'<"a\\b"@d>')
        self.assert_taken(r'<"\a\b"@d>', "ab@d")
        self.assert_taken('<"plain"@d>', "plain@d")
        self.assert_taken('<"a..b"@d>')
        self.assert_taken('<".a"@d>')
        self.assert_taken('<" "@d>')
        self.assert_taken('<""@d>')
        self.assert_taken('<"a>b,<c"@d>')
        self.assert_taken('<"RCPT TO:<x@y>"@d>')

    def test_27_quoted_local_parts_that_are_none(self) -> None:
        """RFC 5321 4.1.2."""
        for path in (
            '<"a@d>',
            '<a"b"@d>',
            '<"a"b@d>',
            '<"a""b"@d>',
            '<"a\\"@d>',
            '<"a"@>',
            '<"a>@d>',
            '<"a" @d>',
        ):
            self.assert_refused(path)

    def test_27_the_case_of_a_local_part_is_kept(self) -> None:
        """RFC 5321 2.4: only the destination may treat aLiCe as alice."""
        self.assert_taken("<aLiCe@Example.ORG>")

    def test_27_atoms_have_more_than_letters(self) -> None:
        """RFC 5321 4.1.2, RFC 5322 3.2.3."""
        self.assert_taken("<!#$%&'*+-/=?^_`{|}~.x@d>")
        self.assert_taken("<a+b=c@d>")
        self.assert_taken("<-a-@d>")
        self.assert_taken("<1@2>")

    def test_27_what_is_no_address(self) -> None:
        """RFC 5321 4.1.2."""
        for path in (
            "<a@b", "a@b>", "<<a@b>>", "<a@b>>", "<a>", "<a@>", "<@>", "<@b>", "<a@b@c>", "<a b@c>",
            "<a@b..c>", "<a@b..>", "<a@.>", "<@a@b>", "(c)a@b", "<a@b(c)>", "\\a@b", "<a\\ b@c>", "@a:u@d",
            'a"b"@c', "[a]@c", '<"a".b@c>', "<a.@>", "<.>", "<a@b>>", '<a@"b">', "<a@b.[192.0.2.1]>",
            "<a@[192.0.2.1].>", "<a@.b>", "<a@-b>", "<a@b->", "<a@b.-c>", "<a(c)@b>", "<a,b@c>",
            "<a@b,c>",
            "<a@b>,<c@d>", "<a@b><c@d>", "<a;b@c>", "<a:b@c>", "<a@b:25>", "Alice <a@b>", "<mailto:a@b>",
            "<a@b c>",
            "<a\\@b@c>", "<a@b_c->", "<a@-_>",
        ):  # fmt: skip
            self.assert_refused(path)

    def test_27_a_domain_ends_without_a_dot(self) -> None:
        """RFC 5321 2.3.5: the name of the root is not written in mail; those who write it are served."""
        self.assert_taken("<a@b.example.>", "a@b.example")
        self.assert_taken("a@host.", "a@host")
        self.assert_taken("<@r.,@s.example.:a@b.example.>", "a@b.example")

    def test_27_odd_addresses_that_can_mean_one_thing_only(self) -> None:
        """As Postfix takes them; a local part with odd dots is quoted when it is passed on."""
        for path, meant in (
            ("a@b.example", "a@b.example"),
            ('"a b"@c', '"a b"@c'),
            ("user@[192.0.2.1]", "user@[192.0.2.1]"),
            ("<a@b_c.example>", "a@b_c.example"),
            ("<a@_dmarc.b>", "a@_dmarc.b"),
            ("<a@b_>", "a@b_"),
            ("<@r_s:a@b_c>", "a@b_c"),
            ("<a..b@c>", '"a..b"@c'),
            ("<a.@c>", '"a."@c'),
            ("<.a@c>", '".a"@c'),
            ("<..@c>", '".."@c'),
            ("<.@c>", '"."@c'),
            (".a.@c.", '".a."@c'),
            ("<-a@1>", "-a@1"),
        ):
            self.assert_taken(path, meant)

    def test_27_strictly(self) -> None:
        """RFC 5321 4.1.2 and 3.3, where the server is told to keep to it."""
        self.play(
            HELLO + "C: MAIL FROM:<a@b.example> SIZE=1 BODY=7BIT\nS: 250...\nC: RCPT TO:<Postmaster>\n"
            'S: 250...\nC: RCPT TO:<"a..b"@c>\nS: 250...\nC: RSET\nS: 250...\nC: MAIL FROM:<>\nS: 250...',
            strict_envelopes=True,
        )
        for path in (
            "a@b", " <a@b>", "<a@b_c>", "<a..b@c>", "<a.@c>", "<.a@c>", "<a@b.>", "< a@b>", "<a@b >", "< >",
            "<@a_b:c@d>", "<@a.:c@d>", "postmaster",
        ):  # fmt: skip
            with self.subTest(path):
                self.play(HELLO + f"C: MAIL FROM:{path}\nS: 501 5.1.7...", strict_envelopes=True)
                self.play(MAIL + f"C: RCPT TO:{path}\nS: 501 5.1.3...", strict_envelopes=True)
        for line, reply in (
            ("MAIL  FROM:<a@b>", "501"),
            ("MAIL␉FROM:<a@b>", "500"),
            ("MAIL FROM:<a@b>␉SIZE=1", "500"),
            ("MAIL FROM:␉<a@b>", "500"),
        ):
            self.play(HELLO + f"C: {line}\nS: {reply} 5.5...", strict_envelopes=True)

    def test_28_address_literals(self) -> None:
        """RFC 5321 4.1.3."""
        for literal in (
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "[IPv6:::1]",
            "[IPv6:::ffff:192.0.2.1]",
            "[ipv6:fe80::1]",
        ):
            self.assert_taken(f"<user@{literal}>")

    def test_28_address_literals_that_are_none(self) -> None:
        """RFC 5321 4.1.3: no other tags are registered."""
        for literal in (
            "[]", "[192.0.2]", "[192.0.2.256]", "[192.0.2.1", "192.0.2.1]", "[::1]", "[IPv6:]",
            "[IPv6:12345::]",
            "[IPv6:::1%lo]", "[x-tag:y]", "[ 192.0.2.1 ]", "[192.0.2.1].example", "[0x7f.1]",
            "[192.0.2.1/32]",
        ):  # fmt: skip
            self.assert_refused(f"<user@{literal}>")


class InternationalTests(TranscriptTestCase):
    def test_35_only_with_smtputf8(self) -> None:
        """RFC 6531 3.4 and 3.5: 553 5.6.7 for either path without it."""
        for path in ("<ü@b.example>", "<u@bücher.example>", '<"ü x"@b.example>', "<用户@例え.example>"):
            with self.subTest(path):
                self.play(HELLO + f"C: MAIL FROM:{path}\nS: 553 5.6.7...\nC: RCPT TO:<b@c>\nS: 503...")
                self.play(MAIL + f"C: RCPT TO:{path}\nS: 553 5.6.7...\nC: DATA\nS: 503...")

    def test_35_with_smtputf8(self) -> None:
        """RFC 6531 3.3: UTF-8 in atoms, quoted strings and domains."""
        for path in (
            "<ü@b.example>",
            "<u@bücher.example>",
            '<"ü x"@b.example>',
            "<用户@例え.example>",
            "<😀@b.example>",
        ):
            with self.subTest(path):
                [message] = self.play(
                    HELLO
                    + f"C: MAIL FROM:{path} SMTPUTF8\nS: 250...\nC: RCPT TO:{path}\nS: 250...\n"
                    + SEND.replace("C: x\n", "C: Subject: grüße\n")
                )
                self.assertEqual((message.sender, message.recipients), (path[1:-1], [path[1:-1]]))
                self.assertEqual(message.content, "Subject: grüße\r\n".encode())

    def test_35_smtputf8_with_addresses_in_ascii(self) -> None:
        """RFC 6531 3.4: the header may be why it was said."""
        self.play(
            HELLO + "C: MAIL FROM:<a@b> SMTPUTF8 BODY=8BITMIME\nS: 250...\nC: RCPT TO:<c@d>\n"
            "S: 250...\n" + SEND
        )

    def test_35_it_holds_for_one_transaction(self) -> None:
        """RFC 6531 3.4."""
        self.play(
            HELLO + "C: MAIL FROM:<ü@b> SMTPUTF8\nS: 250...\nC: RSET\nS: 250...\nC: MAIL FROM:<a@b>\n"
            "S: 250...\n"
            "C: RCPT TO:<ü@b>\nS: 553 5.6.7..."
        )

    def test_35_octets_that_are_no_utf8(self) -> None:
        """RFC 6531 3.3."""
        for local in ("\udcfc", "\udcc3", "\udced\udca0\udc80", "\udcf5\udc80\udc80\udc80", "\udcc0\udcaf"):
            self.play(HELLO + f"C: MAIL FROM:<{local}@b> SMTPUTF8\nS: 500 5.5.2...\nC: NOOP\nS: 250...")


class DomainTests(SynchronousTestCase):
    def test_35_u_labels_and_a_labels_are_equal(self) -> None:
        """RFC 6531 3.3 and RFC 5890 2.3.2.4: compared as A-labels, without case."""
        for name in (
            "bücher.example",
            "BÜCHER.Example",
            "xn--bcher-kva.example",
            "XN--BCHER-KVA.EXAMPLE",
            "bu\u0308cher.example",
        ):
            self.assertEqual(canonical_domain(name), "xn--bcher-kva.example")
