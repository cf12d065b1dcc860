"""XCLIENT: proxies that say whom they speak for (Postfix's XCLIENT_README)."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal

from mailproto.auth import SERVER_MECHANISMS
from mailproto.connection import Networks, _server
from mailproto.smtp import SMTPLimits
from tests.auth.exchanges import Checker
from tests.auth.test_server_mechanisms import EVERYTHING
from tests.smtp.dialogue import DialogueTestCase
from tests.smtp.test_authentication import BAD, EHLO, GOOD
from tests.smtp.test_server import script
from tests.transport import ELSEWHERE, LOOPBACK, MemoryTransport

GREETING = "S: 220 mx.example ESMTP mailproto"
OFFER = "S: 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\nS: 250 HELP"
EHLO_PROXY = EHLO.replace("S: 250 HELP", OFFER)
EHLO_CLIENT = EHLO_PROXY.replace("S: 250-AUTH CRAM-MD5 PLAIN LOGIN", "S: 250-AUTH CRAM-MD5")
MESSAGE = (
    "C: MAIL FROM:<alice@b>\nS: 250...\nC: RCPT TO:<c@d>\nS: 250...\nC: DATA\nS: 354...\nC: .\nS: 250..."
)


class ProxyTests(DialogueTestCase):
    def connect(self, **settings: Any) -> MemoryTransport:
        proxies = Networks(["127.0.0.1", "192.0.2.0/24"])
        return super().connect(**{"portal": self.portal, "xclient": proxies, **settings})

    def test_the_client_is_whom_the_proxy_names(self) -> None:
        self.assert_dialogue(
            script(
                EHLO_PROXY,
                "C: XCLIENT NAME=client.example ADDR=203.0.113.9 PORT=40000 "
                f"DESTADDR=198.51.100.2 DESTPORT=25\n{GREETING}",
                EHLO_CLIENT,
                MESSAGE,
            )
        )
        envelope, content = self.delivery.delivered[0]
        self.assertEqual(envelope.session.peer, "203.0.113.9")
        self.assertTrue(content.startswith(b"Received: from client.example ([203.0.113.9])\r\n"), content)

    def test_a_proxys_certificate_signs_no_client_in(self) -> None:
        """Nor can a client be bound to the proxy's TLS connection."""
        self.patch(_server, "server_channel", lambda *_, **__: EVERYTHING)
        portal = Portal(self.realm, [Checker()])
        transport = self.connect(portal=portal, mechanisms=SERVER_MECHANISMS)
        for command, offered in (("", True), ("XCLIENT ADDR=203.0.113.9\r\n", False)):
            transport.send(f"{command}EHLO a\r\n".encode())
            reply = transport.read()
            self.assertIn(b" SCRAM-SHA-256 ", reply)
            self.assertEqual((b" EXTERNAL " in reply, b"-PLUS " in reply), (offered, offered))
        self.converse(transport, "C: AUTH EXTERNAL =\nS: 504 5.5.4...")

    def test_it_begins_anew(self) -> None:
        self.assert_dialogue(
            script(
                EHLO_PROXY,
                f"C: AUTH PLAIN {GOOD}\nS: 235...\nC: XCLIENT ADDR=203.0.113.9\n{GREETING}",
                "C: MAIL FROM:<a@b>\nS: 503 5.5.1 Say EHLO first",
                "C: HELO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...",
            )
        )
        self.assertIsNone(self.delivery.senders[0][0].account)
        self.assertEqual(self.realm.log_outs, 2)

    def test_greeting_and_protocol(self) -> None:
        for attributes, protocol, helo in (
            ("HELO=client.example PROTO=ESMTP", "ESMTP", "client.example"),
            ("proto=esmtp helo=[192.0.2.1]", "ESMTP", "[192.0.2.1]"),
            ("HELO=client.example", "SMTP", "client.example"),
            ("HELO=client+2Eexample PROTO=SMTP", "SMTP", "client.example"),
        ):
            with self.subTest(attributes=attributes):
                self.assert_dialogue(script(f"C: XCLIENT {attributes}\n{GREETING}", MESSAGE))
                session = self.delivery.delivered[0][0].session
                self.assertEqual((session.protocol, session.helo), (protocol, helo))

    def test_a_greeting_of_the_clients_own_counts_more(self) -> None:
        self.assert_dialogue(
            script(f"C: XCLIENT HELO=a PROTO=SMTP\n{GREETING}", EHLO_PROXY, MESSAGE),
        )
        session = self.delivery.delivered[0][0].session
        self.assertEqual((session.protocol, session.helo), ("ESMTP", "client.example"))

    def test_who_signed_in(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT LOGIN=alice\n{GREETING}",
                EHLO_PROXY,
                f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Already authenticated",
                "C: MAIL FROM:<bob@b>\nS: 250...\nC: RSET\nS: 250...",
                MESSAGE,
                f"C: XCLIENT LOGIN=[UNAVAILABLE]\n{GREETING}",
                EHLO_PROXY,
                "C: MAIL FROM:<alice@b>\nS: 530 5.7.0 Authentication required",
            ),
            submission=True,
            any_sender=True,
        )
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual(envelope.session.account, "alice")
        self.assertIn(b"with ESMTPA\r\n", content)

    def test_what_the_proxy_does_not_know(self) -> None:
        for unknown in ("[UNAVAILABLE]", "[tempunavail]"):
            self.assert_dialogue(
                script(
                    f"C: XCLIENT NAME={unknown} ADDR={unknown} PORT={unknown} PROTO={unknown} "
                    f"HELO={unknown} LOGIN={unknown} DESTADDR={unknown} DESTPORT={unknown}\n{GREETING}",
                    EHLO_CLIENT,
                    MESSAGE,
                )
            )
            envelope, content = self.delivery.delivered[0]
            self.assertEqual((envelope.session.peer, envelope.session.account), ("", None))
            self.assertTrue(content.startswith(b"Received: from client.example\r\n"))

    def test_ipv6(self) -> None:
        self.assert_dialogue(
            script(f"C: XCLIENT ADDR=IPV6:2001:DB8::1\n{GREETING}\nC: HELO a\nS: 250...", MESSAGE)
        )
        self.assertEqual(self.delivery.delivered[0][0].session.peer, "2001:db8::1")

    def test_no_password_in_clear_from_elsewhere(self) -> None:
        """Nor from the proxy's own machine, if that is not ours."""
        refused = "S: 538 5.7.11..."
        for peer, address, reply in (
            (LOOPBACK, "203.0.113.9", refused),
            (LOOPBACK, "127.0.0.1", "S: 535 5.7.8..."),
            (ELSEWHERE, "127.0.0.1", refused),
        ):
            with self.subTest(peer=peer, address=address):
                self.peer = peer
                ehlo = EHLO_PROXY if reply != refused else EHLO_CLIENT
                self.assert_dialogue(
                    script(f"C: XCLIENT ADDR={address}\n{GREETING}", ehlo, f"C: AUTH PLAIN {BAD}\n{reply}")
                )

    def test_once_elsewhere_never_local_again(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}\nC: XCLIENT ADDR=127.0.0.1\n{GREETING}",
                EHLO_CLIENT,
            )
        )

    def test_connections_are_counted_by_client(self) -> None:
        first = self.connect(limits=SMTPLimits(connections_per_peer=1, greeting_wait=0))
        self.converse(first, f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}")
        second = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        second.read()
        self.converse(second, "C: XCLIENT ADDR=203.0.113.9\nS: 421 4.3.2...")
        self.assertFalse(second.is_open)
        first.drop()
        third = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        third.read()
        self.converse(third, f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}")

    def test_not_in_a_transaction(self) -> None:
        self.assert_dialogue(
            script(
                "C: HELO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: 250...",
                "C: XCLIENT ADDR=203.0.113.9\nS: 503 5.5.1 Not during a mail transaction",
                "C: RCPT TO:<c@d>\nS: 250...",
            )
        )

    def test_plaintext_is_forgotten_in_tls(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT LOGIN=alice HELO=a PROTO=ESMTP\n{GREETING}",
                "C: STARTTLS\nS: 220...\nC: MAIL FROM:<a@b>\nS: 503 5.5.1 Say EHLO first",
                "C: HELO a\nS: 250...",
                "C: MAIL FROM:<a@b>\nS: 530 5.7.0 Authentication required",
            ),
            submission=True,
            tls=object(),
        )

    def test_bad_attributes(self) -> None:
        syntax, attribute = "Syntax: XCLIENT attribute=value ...", "Bad XCLIENT attribute"
        for arguments, text in (
            ("", syntax),
            (" ", syntax),
            (" ADDR", attribute),
            (" ADDR=", attribute),
            (" =x", attribute),
            (" FOO=x", attribute),
            (" ADDR=192.0.2.1 addr=192.0.2.1", attribute),
            (" HELO=a+b", attribute),
            (" HELO=a+ZZ", attribute),
            (" ADDR=client.example", "Bad value of XCLIENT ADDR"),
            (" ADDR=2001:db8::1", "Bad value of XCLIENT ADDR"),
            (" ADDR=IPV6:192.0.2.1", "Bad value of XCLIENT ADDR"),
            (" DESTADDR=192.0.2.256", "Bad value of XCLIENT DESTADDR"),
            (" PORT=65536", "Bad value of XCLIENT PORT"),
            (" DESTPORT=-1", "Bad value of XCLIENT DESTPORT"),
            (" PROTO=LMTP", "Bad value of XCLIENT PROTO"),
            (" NAME=a+0D+0Ab", "Bad value of XCLIENT NAME"),
            (" HELO=a+20b", "Bad value of XCLIENT HELO"),
            (" LOGIN=a+00b", "Bad value of XCLIENT LOGIN"),
            (" LOGIN=a+FFb", "Bad value of XCLIENT LOGIN"),
            (f" LOGIN={'a' * 256}", "Bad value of XCLIENT LOGIN"),
        ):
            with self.subTest(arguments=arguments):
                self.assert_dialogue(script(f"C: XCLIENT{arguments}\nS: 501 5.5.4 {text}", EHLO_PROXY))

    def test_beyond_ascii(self) -> None:
        self.assert_dialogue(
            script(f"C: XCLIENT LOGIN=j+C3+BCrgen+2B1@example.org\n{GREETING}\nC: HELO a\nS: 250...", MESSAGE)
        )
        self.assertEqual(self.delivery.delivered[0][0].session.account, "jürgen+1@example.org")


class StrangerTests(DialogueTestCase):
    def test_refused_and_not_announced(self) -> None:
        refusal = "C: XCLIENT ADDR=203.0.113.9 LOGIN=alice\nS: 550 5.7.0 XCLIENT is for proxies..."
        for proxies in (None, Networks(["192.0.2.0/24"])):
            self.assert_dialogue(script(refusal, EHLO, refusal, MESSAGE), xclient=proxies, portal=self.portal)
            session = self.delivery.delivered[0][0].session
            self.assertEqual((session.peer, session.account), (LOOPBACK, None))
