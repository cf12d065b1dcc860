"""URLs of mailboxes: what is read, what is written, and the errors for people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.client import MailboxURL

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


def refusal(text: str) -> str:
    """The error for a text."""
    try:
        MailboxURL.parse(text)
    except ValueError as error:
        return str(error)
    raise AssertionError(text)


class ReadingTests(SynchronousTestCase):
    def test_each_scheme_has_its_port(self) -> None:
        for scheme, port in (("pop3", 110), ("pop3s", 995), ("imap", 143), ("imaps", 993)):
            url = MailboxURL.parse(f"{scheme}://bob@mail.example")
            self.assertEqual(
                (url.scheme, url.user, url.host, url.port), (scheme, "bob", "mail.example", port)
            )
            self.assertEqual((url.mailbox, str(url)), ("INBOX", f"{scheme}://bob@mail.example"))

    def test_rfc_2384_says_pop(self) -> None:
        self.assertEqual(MailboxURL.parse("pop://rg@mailsrv.example:110").scheme, "pop3")
        url = MailboxURL.parse("pop://rg;AUTH=+APOP@mail.example:8110".replace("+", "%2B"))
        self.assertEqual((url.mechanism, url.port), ("+APOP", 8110))

    def test_rfc_5092_encodes_what_has_a_meaning(self) -> None:
        url = MailboxURL.parse("imap://b%C3%B6b%3A%40@[::1]:14300/Entw%C3%BCrfe/a%20b%3F%25")
        self.assertEqual((url.user, url.host, url.port), ("böb:@", "::1", 14300))
        self.assertEqual(url.mailbox, "Entwürfe/a b?%")
        self.assertEqual(MailboxURL.parse(str(url)), url)

    def test_a_user_with_a_domain_may_be_written_as_it_is(self) -> None:
        url = MailboxURL.parse("imaps://bob@home.example@mail.example/Archive")
        self.assertEqual((url.user, url.host, url.mailbox), ("bob@home.example", "mail.example", "Archive"))
        self.assertEqual(str(url), "imaps://bob@home.example@mail.example/Archive")

    def test_a_slash_alone_is_the_inbox_and_so_is_each_spelling(self) -> None:
        for end in ("", "/", "/inbox", "/Inbox"):
            self.assertEqual(MailboxURL.parse(f"imap://bob@host{end}").mailbox, "INBOX")
            self.assertEqual(MailboxURL.parse(f"pop3://bob@host{end}").mailbox, "INBOX")

    def test_any_mechanism(self) -> None:
        self.assertEqual(MailboxURL.parse("imap://bob;AUTH=*@host").mechanism, "")
        url = MailboxURL.parse("imap://bob;auth=plain@host")
        self.assertEqual((url.mechanism, str(url)), ("PLAIN", "imap://bob;AUTH=PLAIN@host"))

    @given(NAMES, NAMES, st.integers(1, 65535))
    def test_what_is_written_is_read_as_the_same(self, user: str, mailbox: str, port: int) -> None:
        url = MailboxURL("imap", user, "mail.example", port, mailbox)
        self.assertEqual(MailboxURL.parse(str(url)), url)

    @given(st.text())
    def test_any_text_is_a_url_or_has_an_error_of_one_line(self, text: str) -> None:
        for each in (text, f"imap://{text}", f"pop3s://bob@{text}", f"imap://bob@host/{text}"):
            try:
                MailboxURL.parse(each)
            except ValueError as error:
                self.assertEqual(len(str(error).splitlines()), 1, error)


class RefusalTests(SynchronousTestCase):
    def test_what_is_wrong_is_named(self) -> None:
        for text, why in (
            ("mail.example", "is written such as pop3s://USER@HOST"),
            ("http://bob@mail.example", "is written such as pop3s://USER@HOST"),
            ("imap://mail.example", "must name the user"),
            ("imap://@mail.example", "must name the user"),
            ("imap://bob@", "must name the host"),
            ("imap://bob@mail.example:0", "a number from 1 to 65535"),
            ("imap://bob@mail.example:", "a number from 1 to 65535"),
            ("imap://bob@mail.example:99999", "a number from 1 to 65535"),
            ("imap://bob@1.2.3", "is no IP address"),
            ("pop3://bob@mail.example/Archive", "a POP3 server has one mailbox"),
            ("imap://bob@mail.example/a?SUBJECT", "%3F"),
            ("imap://bob@mail.example/a#b", "%23"),
            ("imap://bob@mail.example/a;UIDVALIDITY=3/;UID=5", "not of a message"),
            ("imap://bob@mail.example/a%2", "write %25"),
            ("imap://bob@mail.example/%ff", "no UTF-8"),
            ("imap://bob;TLS=1@mail.example", "only ;AUTH=MECHANISM"),
            ("imap://bob@mail.example/a%00b", "no control characters"),
        ):
            self.assertIn(why, refusal(text), text)

    def test_a_password_is_refused_and_not_shown(self) -> None:
        for text in ("imap://bob:hunter2@host", "imaps://bob:hunter2@host:99999/x", "imap//bob:hunter2@host"):
            self.assertNotIn("hunter2", refusal(text))
        self.assertIn("must have no password", refusal("imap://bob:hunter2@host"))


class TLSTests(SynchronousTestCase):
    def tls(self, text: str, **settings: object) -> str:
        return MailboxURL.parse(text).address(None, **settings).tls  # type: ignore[arg-type]

    def test_the_scheme_decides(self) -> None:
        self.assertEqual(self.tls("imaps://bob@localhost"), "implicit")
        self.assertEqual(self.tls("pop3s://bob@mail.example"), "implicit")
        self.assertEqual(self.tls("imap://bob@mail.example"), "required")
        self.assertEqual(self.tls("pop3://bob@192.0.2.1"), "required")

    def test_this_machine_needs_no_certificate(self) -> None:
        for host in ("localhost", "127.0.0.1", "[::1]"):
            self.assertEqual(self.tls(f"imap://bob@{host}"), "opportunistic")
            self.assertEqual(self.tls(f"imap://bob@{host}", trust_root="ca.pem"), "required")

    def test_no_tls_only_if_it_is_said(self) -> None:
        self.assertEqual(self.tls("imap://bob@mail.example", plain=True), "none")
        with self.assertRaisesRegex(ValueError, "imaps is TLS: write imap://"):
            self.tls("imaps://bob@mail.example", plain=True)
