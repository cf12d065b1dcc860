"""Python's smtplib, poplib and imaplib against the running server."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import closing
from email import message_from_bytes

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, emptied, message, shared


class ClientTestCase(TestCase):
    def setUp(self) -> None:
        self.server = emptied(shared())
        self.ports = self.server.ports
        self.account = ACCOUNTS[0]

    def send(self, octets: bytes, *recipients: str) -> None:
        """By the port that anybody may send to."""
        with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
            client.sendmail("bob@example.com", recipients or [self.account], octets)

    def pop3(self, make: Callable[[], poplib.POP3] | None = None) -> poplib.POP3:
        client = make() if make else poplib.POP3(HOST, self.ports["pop3"], timeout=PATIENCE)
        self.addCleanup(client.close)
        client.user(self.account)
        client.pass_(PASSWORD)
        return client

    def imap(self, make: Callable[[], imaplib.IMAP4] | None = None) -> imaplib.IMAP4:
        client = make() if make else imaplib.IMAP4(HOST, self.ports["imap"], timeout=PATIENCE)
        self.addCleanup(lambda: client.state == "LOGOUT" or client.logout())
        client.login(self.account, PASSWORD)
        return client

    def subjects(self) -> list[str]:
        """Of the messages in INBOX."""
        client = self.pop3()
        found = [
            str(message_from_bytes(b"\r\n".join(client.top(number + 1, 0)[1]))["Subject"])
            for number in range(client.stat()[0])
        ]
        client.quit()
        return found


class SMTPTests(ClientTestCase):
    def test_a_message_comes_out_as_it_went_in(self) -> None:
        _, octets = message("..two dots\r\n.\r\n.one\r\n\r\nüñí", to=self.account)
        self.send(octets)
        _, lines, _ = self.pop3().retr(1)
        got = b"\r\n".join(lines) + b"\r\n"
        self.assertTrue(got.endswith(octets), got)
        trace = got[: -len(octets)]
        self.assertRegex(trace, rb"\A(Return-Path: <bob@example.com>\r\n)?Received: from ")

    def test_one_transaction_for_many(self) -> None:
        subject, octets = message()
        self.send(octets, *ACCOUNTS)
        for self.account in ACCOUNTS:
            self.assertEqual(self.subjects(), [subject])

    def test_plus_addresses_and_any_case(self) -> None:
        subject, octets = message()
        local, _, domain = self.account.partition("@")
        self.send(octets, f"{local.upper()}+list@{domain.title()}")
        self.assertEqual(self.subjects(), [subject])

    def test_strangers_are_refused(self) -> None:
        with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
            refused = {}
            for recipient in ("nobody@example.org", "alice@example.com"):
                client.ehlo_or_helo_if_needed()
                client.mail("bob@example.com")
                refused[recipient] = client.rcpt(recipient)
                client.rset()
        self.assertEqual({code for code, _ in refused.values()}, {550})
        self.assertTrue(refused["nobody@example.org"][1].startswith(b"5.1.1"))
        self.assertTrue(refused["alice@example.com"][1].startswith(b"5.7.1"))

    def test_too_large(self) -> None:
        with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
            client.ehlo()
            limit = int(client.esmtp_features["size"])
            self.assertEqual(limit, 50 * 1024 * 1024)
            self.assertEqual(client.mail("bob@example.com", [f"size={limit + 1}"])[0], 552)

    def test_starttls(self) -> None:
        subject, octets = message()
        with smtplib.SMTP(HOST, self.ports["smtp"], timeout=PATIENCE) as client:
            client.starttls(context=self.server.trust())
            client.ehlo()
            self.assertFalse(client.has_extn("starttls"))
            client.sendmail("bob@example.com", [self.account], octets)
        self.assertEqual(self.subjects(), [subject])

    def test_submission_needs_authentication(self) -> None:
        subject, octets = message()
        with smtplib.SMTP(HOST, self.ports["submission"], timeout=PATIENCE) as client:
            client.starttls(context=self.server.trust())
            client.ehlo()
            self.assertEqual(client.mail(self.account)[0], 530)
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login(self.account, "wrong")
            client.login(self.account, PASSWORD)
            client.sendmail(self.account, [self.account], octets)
        self.assertEqual(self.subjects(), [subject])

    def test_submission_with_tls_from_the_first_octet(self) -> None:
        subject, octets = message()
        port = self.ports["submissions"]
        with smtplib.SMTP_SSL(HOST, port, timeout=PATIENCE, context=self.server.trust()) as client:
            client.login(self.account, PASSWORD)
            client.sendmail(self.account, [self.account], octets)
        self.assertEqual(self.subjects(), [subject])

    def test_lmtp(self) -> None:
        subject, octets = message()
        with smtplib.LMTP(HOST, self.ports["lmtp"]) as client:
            client.sendmail("bob@example.com", [self.account], octets)
        self.assertEqual(self.subjects(), [subject])


class POP3Tests(ClientTestCase):
    def test_list_and_delete(self) -> None:
        sent = [message(to=self.account) for _ in range(3)]
        for _, octets in sent:
            self.send(octets)
        client = self.pop3()
        number, size = client.stat()
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        self.assertEqual((number, size), (3, sum(sizes)))
        self.assertEqual([client.retr(n + 1)[2] for n in range(3)], sizes)
        unique_ids = [line.split()[1] for line in client.uidl()[1]]
        client.dele(2)
        client.rset()
        client.dele(1)
        client.dele(3)
        self.assertEqual(client.stat(), (1, sizes[1]))
        client.quit()
        self.assertEqual(self.subjects(), [sent[1][0]])
        self.assertEqual(self.pop3().uidl()[1], [b"1 " + unique_ids[1]])

    def test_a_wrong_password(self) -> None:
        client = poplib.POP3(HOST, self.ports["pop3"], timeout=PATIENCE)
        client.user(self.account)
        with self.assertRaisesRegex(poplib.error_proto, r"-ERR \[AUTH\]"):
            client.pass_("wrong")
        client.quit()

    def test_stls(self) -> None:
        def make() -> poplib.POP3:
            client = poplib.POP3(HOST, self.ports["pop3"], timeout=PATIENCE)
            self.assertIn("STLS", client.capa())
            client.stls(context=self.server.trust())
            self.assertNotIn("STLS", client.capa())
            return client

        self.assertEqual(self.pop3(make).stat(), (0, 0))

    def test_tls_from_the_first_octet(self) -> None:
        def make() -> poplib.POP3:
            port, context = self.ports["pop3s"], self.server.trust()
            return poplib.POP3_SSL(HOST, port, timeout=PATIENCE, context=context)

        client = self.pop3(make)
        self.assertNotIn("STLS", client.capa())
        client.quit()

    def test_plaintext_behind_stls_is_not_obeyed(self) -> None:
        with closing(socket.create_connection((HOST, self.ports["pop3"]), PATIENCE)) as client:
            client.sendall(b"STLS\r\nCAPA\r\n")
            received = b""
            while octets := client.recv(4096):
                received += octets
        self.assertRegex(received, rb"\A\+OK [^\r\n]+\r\n-ERR [^\r\n]+\r\n\Z")


class IMAPTests(ClientTestCase):
    def test_append_fetch_search_and_flags(self) -> None:
        subject, octets = message(to=self.account)
        client = self.imap()
        self.assertEqual(client.append("INBOX", r"(\Flagged)", None, octets)[0], "OK")
        self.assertEqual(client.select(), ("OK", [b"1"]))
        [(prefix, body), _] = client.fetch("1", "(FLAGS BODY.PEEK[])")[1]  # type: ignore[attr-defined]
        self.assertEqual(body, octets)
        self.assertIn(rb"\Flagged", prefix)
        self.assertEqual(client.search(None, "SUBJECT", f'"{subject}"'), ("OK", [b"1"]))
        self.assertEqual(client.search(None, "UNFLAGGED"), ("OK", [b""]))
        client.store("1", "+FLAGS", r"(\Seen \Deleted)")
        self.assertEqual(client.expunge(), ("OK", [b"1"]))
        client.close()
        client.logout()

    def test_mailboxes(self) -> None:
        client = self.imap()
        client.create("Projects/2026")
        listed = client.list('""', "Projects*")[1]
        self.assertEqual(len(listed), 2)
        client.append("Projects/2026", None, None, message()[1])
        self.assertIn(b"MESSAGES 1", client.status("Projects/2026", "(MESSAGES)")[1][0])
        client.rename("Projects/2026", "Projects/2027")
        client.select("Projects/2027")
        self.assertEqual(client.copy("1", "INBOX")[0], "OK")
        client.close()
        client.delete("Projects/2027")
        client.delete("Projects")
        self.assertEqual(client.select(), ("OK", [b"1"]))
        client.logout()

    def test_mail_that_arrives_is_announced(self) -> None:
        client = self.imap()
        client.select()
        self.send(message()[1])
        client.noop()
        self.assertEqual(client.untagged_responses["EXISTS"][-1], b"1")
        client.logout()

    def test_starttls(self) -> None:
        def make() -> imaplib.IMAP4:
            client = imaplib.IMAP4(HOST, self.ports["imap"], timeout=PATIENCE)
            client.starttls(self.server.trust())
            self.assertNotIn("STARTTLS", client.capabilities)
            return client

        self.assertEqual(self.imap(make).select(), ("OK", [b"0"]))

    def test_tls_from_the_first_octet(self) -> None:
        def make() -> imaplib.IMAP4:
            port, context = self.ports["imaps"], self.server.trust()
            return imaplib.IMAP4_SSL(HOST, port, timeout=PATIENCE, ssl_context=context)

        client = self.imap(make)
        self.assertEqual(client.select(), ("OK", [b"0"]))
        client.logout()

    def test_a_wrong_password(self) -> None:
        client = imaplib.IMAP4(HOST, self.ports["imap"], timeout=PATIENCE)
        with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
            client.login(self.account, "wrong")
        client.logout()


class SharingTests(ClientTestCase):
    """QUOTA, ACL and NAMESPACE with imaplib's own commands."""

    def test_a_mailbox_that_two_accounts_use(self) -> None:
        owner = self.imap()
        self.account, alice = ACCOUNTS[1], self.account
        bob, other = self.account, self.imap()
        shared_name = f"user/{alice}/Shared"
        owner.create("Shared")
        self.assertEqual(other.namespace()[1], [b'(("" "/")) (("user/" "/")) (("shared/" "/"))'])
        self.assertEqual(other.myrights(shared_name)[0], "NO")
        self.assertEqual(owner.setacl("Shared", bob, "lrsi")[0], "OK")
        self.addCleanup(owner.logout)
        self.addCleanup(owner.delete, "Shared")
        self.assertEqual(owner.getacl("Shared")[1], [f"Shared {alice} lrswipkxteacd {bob} lrsi".encode()])
        self.assertEqual(other.myrights(shared_name)[1], [f"{shared_name} lrsi".encode()])
        self.assertEqual(other.append(shared_name, r"(\Seen \Flagged)", "", message()[1])[0], "OK")
        self.assertEqual(owner.select("Shared"), ("OK", [b"1"]))
        [flags] = owner.fetch("1", "(FLAGS)")[1]
        self.assertIn(rb"\Seen", flags)  # type: ignore[arg-type]
        self.assertNotIn(rb"\Flagged", flags)  # type: ignore[arg-type]
        self.assertEqual(other.select(shared_name, readonly=True), ("OK", [b"1"]))
        self.assertEqual(other.expunge()[0], "NO")
        self.assertEqual(other.delete(shared_name)[0], "NO")

    def test_quotas(self) -> None:
        client = self.imap()
        answer, [roots, quotas] = client.getquotaroot("INBOX")
        self.assertEqual((answer, roots), ("OK", [b'INBOX ""']))
        self.assertRegex(quotas[0], rb'"" \(.*MAILBOX \d+ 10000\)')
        self.assertEqual(client.getquota('""')[0], "OK")
        self.assertEqual(client.setquota('""', "(STORAGE 1)")[0], "NO")


class EveryProtocolTests(ClientTestCase):
    def test_one_message_seen_from_all_sides(self) -> None:
        _, octets = message(to=self.account)
        self.send(octets)
        _, lines, _ = self.pop3().retr(1)
        client = self.imap()
        client.select()
        [(prefix, body), _] = client.fetch("1", "(UID RFC822.SIZE BODY.PEEK[])")[1]  # type: ignore[attr-defined]
        self.assertEqual(body, b"".join(line + b"\r\n" for line in lines))
        self.assertEqual(re.search(rb"RFC822.SIZE (\d+)", prefix)[1], b"%d" % len(body))  # type: ignore[arg-type]
        client.store("1", "+FLAGS", r"\Deleted")
        client.expunge()
        self.assertEqual(self.subjects(), [])

    def test_a_large_message_is_not_held_in_memory(self) -> None:
        line = "x" * 76 + "\r\n"
        _, octets = message(line * (30 * 1024 * 1024 // len(line)))
        before = self.server.memory()
        self.send(octets)
        client = self.imap()
        client.select()
        [(_, body), _] = client.fetch("1", "(BODY.PEEK[])")[1]  # type: ignore[attr-defined]
        self.assertTrue(body.endswith(octets))
        self.assertTrue(b"\r\n".join(self.pop3().retr(1)[1]).endswith(octets.removesuffix(b"\r\n")))
        self.assertLess(self.server.memory() - before, 20 * 1024 * 1024)

    def test_only_modern_tls_is_spoken(self) -> None:
        context = self.server.trust()
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, ConnectionResetError)):
            imaplib.IMAP4_SSL(HOST, self.ports["imaps"], ssl_context=context, timeout=PATIENCE)
