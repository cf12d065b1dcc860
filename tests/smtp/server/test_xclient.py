"""XCLIENT: proxies that say whom they speak for (Postfix's XCLIENT_README)."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.logger import capturedLogs, formatEvent

from mailproto.auth import store_portal
from mailproto.auth.passwords import disabled_record
from mailproto.auth.sasl import SERVER_MECHANISMS
from mailproto.backends import MemoryStore
from mailproto.connection import _observed
from mailproto.connection.proxy import Networks, ProxiedFactory
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, FEEDS, LOOPBACK, MemoryTransport
from tests.auth.exchanges import Checker
from tests.auth.test_server_mechanisms import EVERYTHING
from tests.connection.test_proxy_header import TCP4, v2
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_authentication import BAD, EHLO, GOOD
from tests.smtp.server.test_server import script

GREETING = "S: 220 mx.example ESMTP mailproto"
OFFER = "S: 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\nS: 250 HELP"
EHLO_PROXY = EHLO.replace("S: 250 HELP", OFFER)
EHLO_CLIENT = EHLO.replace("S: 250-AUTH CRAM-MD5 PLAIN LOGIN", "S: 250-AUTH CRAM-MD5")
ONCE = "S: 550 5.7.0 XCLIENT is for proxies that are known here"
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
        self.patch(_observed, "server_channel", lambda *_, **__: EVERYTHING)
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
        self.assertEqual(self.realm.log_outs, len(FEEDS))

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
            script(f"C: XCLIENT HELO=a PROTO=SMTP\n{GREETING}", EHLO, MESSAGE),
        )
        session = self.delivery.delivered[0][0].session
        self.assertEqual((session.protocol, session.helo), ("ESMTP", "client.example"))

    def test_who_signed_in(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT LOGIN=alice\n{GREETING}",
                EHLO,
                f"C: AUTH PLAIN {GOOD}\nS: 503 5.5.1 Already authenticated",
                "C: MAIL FROM:<bob@b>\nS: 250...\nC: RSET\nS: 250...",
                MESSAGE,
            ),
            submission=True,
            any_sender=True,
        )
        [(envelope, content)] = self.delivery.delivered
        self.assertEqual(envelope.session.account, "alice")
        self.assertIn(b"with ESMTPA\r\n", content)

    def test_who_signed_in_sends_as_itself(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT LOGIN=alice\n{GREETING}",
                EHLO,
                "C: MAIL FROM:<bob@b>\nS: 550 5.7.1 That sender's address is not yours",
                MESSAGE,
            ),
            submission=True,
        )

    def test_nobody_signed_in(self) -> None:
        self.assert_dialogue(
            script(
                EHLO_PROXY,
                f"C: AUTH PLAIN {GOOD}\nS: 235...",
                f"C: XCLIENT LOGIN=[UNAVAILABLE]\n{GREETING}",
                EHLO,
                "C: MAIL FROM:<alice@b>\nS: 530 5.7.0 Authentication required",
            ),
            submission=True,
        )

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
                ehlo = EHLO if reply != refused else EHLO_CLIENT
                self.assert_dialogue(
                    script(f"C: XCLIENT ADDR={address}\n{GREETING}", ehlo, f"C: AUTH PLAIN {BAD}\n{reply}")
                )

    def test_it_is_for_the_proxy_and_once(self) -> None:
        """Whatever it said, what comes after may be its client's words."""
        for first, ehlo in (
            ("ADDR=203.0.113.9", EHLO_CLIENT),
            ("ADDR=127.0.0.1", EHLO),  # which is in the list
            ("ADDR=192.0.2.7", EHLO_CLIENT),  # so is this
            ("ADDR=[UNAVAILABLE]", EHLO_CLIENT),
            ("NAME=client.example", EHLO),
            ("HELO=a PROTO=ESMTP", EHLO),
            ("LOGIN=[UNAVAILABLE]", EHLO),
        ):
            for second in ("ADDR=127.0.0.1", "LOGIN=alice", f"{first} LOGIN=alice", "FOO", "ADDR=x"):
                again = f"C: XCLIENT {second}\n{ONCE}"
                with self.subTest(first=first, second=second):
                    self.assert_dialogue(
                        script(f"C: XCLIENT {first}\n{GREETING}", again, ehlo, again, MESSAGE)
                    )
                    session = self.delivery.delivered[0][0].session
                    self.assertIsNone(session.account)

    def test_nor_inside_tls(self) -> None:
        self.assert_dialogue(
            script(
                f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}",
                "C: STARTTLS\nS: 220...\nC starts TLS",
                f"C: XCLIENT LOGIN=alice\n{ONCE}",
                "C: HELO a\nS: 250...",
                MESSAGE,
            ),
            tls=CertificateOptions(),
        )
        self.assertEqual(self.delivery.delivered[0][0].session.peer, "203.0.113.9")

    def test_the_proxy_may_encrypt_first(self) -> None:
        self.assert_dialogue(
            script(
                "C: STARTTLS\nS: 220...\nC starts TLS",
                f"C: XCLIENT ADDR=203.0.113.9 LOGIN=alice\n{GREETING}",
                f"C: XCLIENT LOGIN=alice\n{ONCE}",
            ),
            tls=CertificateOptions(),
        )

    def test_pipelined(self) -> None:
        """What stands after it is not the proxy's; one that was refused changes nothing."""
        transport = self.connect()
        transport.send(b"XCLIENT FOO=a\r\nXCLIENT ADDR=203.0.113.9\r\nXCLIENT LOGIN=alice\r\nHELO a\r\n")
        self.assertEqual(
            [line[:5] for line in transport.read().splitlines()], [b"501 5", b"220 m", b"550 5", b"250 m"]
        )

    def test_an_account_that_does_not_exist(self) -> None:
        """Even if the proxy does not listen: what comes after is a stranger's."""
        self.realm.missing = {"ghost", "jürgen"}
        for name in ("ghost", "j+C3+BCrgen"):
            self.assert_dialogue(
                script(
                    f"C: XCLIENT ADDR=203.0.113.9 LOGIN={name}\nS: 535 5.7.8...",
                    f"C: XCLIENT LOGIN=alice\n{ONCE}",
                    "C: MAIL FROM:<alice@b>\nS: 503 5.5.1 Say EHLO first",
                    EHLO_CLIENT,
                    f"C: AUTH PLAIN {GOOD}\nS: 538 5.7.11...",
                    "C: MAIL FROM:<ghost@b>\nS: 530 5.7.0 Authentication required",
                ),
                submission=True,
            )
        self.assertEqual({one.peer_address for one in self.factory.connections}, {"203.0.113.9"})

    def test_a_store_that_cannot_tell(self) -> None:
        self.patch(self.realm, "requestAvatar", lambda *arguments: fail(OSError("no disk")))
        self.assert_dialogue(
            script(
                f"C: XCLIENT ADDR=203.0.113.9 LOGIN=alice\nS: 454 4.7.0...\nC: XCLIENT LOGIN=alice\n{ONCE}",
                EHLO_CLIENT,
            ),
        )
        self.assertEqual(len(self.flushLoggedErrors(OSError)), len(FEEDS))

    def test_too_many_clients_of_an_account_that_does_not_exist(self) -> None:
        self.realm.missing = {"ghost"}
        first = self.connect(limits=SMTPLimits(connections_per_peer=1, greeting_wait=0, failure_delay=0))
        self.converse(first, "C: XCLIENT ADDR=203.0.113.9 LOGIN=ghost\nS: 535 5.7.8...")
        second = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        second.read()
        self.converse(second, "C: XCLIENT ADDR=203.0.113.9 LOGIN=ghost\nS: 421 4.3.2...\nS closes")
        self.assertFalse(second.is_open)

    def test_too_many_clients_with_an_account(self) -> None:
        first = self.connect(limits=SMTPLimits(connections_per_peer=1, greeting_wait=0, failure_delay=0))
        self.converse(first, f"C: XCLIENT ADDR=203.0.113.9 LOGIN=alice\n{GREETING}")
        second = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        second.read()
        self.converse(second, "C: XCLIENT ADDR=203.0.113.9 LOGIN=alice\nS: 421 4.3.2...\nS closes")
        self.assertEqual(self.realm.log_outs, 1)

    def test_no_login_where_there_are_no_accounts(self) -> None:
        refused = "S: 535 5.7.8..."
        self.assert_dialogue(f"C: XCLIENT LOGIN=alice\n{refused}\nC: NOOP\nS: 250...", portal=None)

    def test_the_account_is_signed_out(self) -> None:
        transport = self.connect()
        self.converse(transport, f"C: XCLIENT LOGIN=alice\n{GREETING}")
        self.assertEqual(self.realm.log_outs, 0)
        transport.drop()
        self.assertEqual(self.realm.log_outs, 1)

    def test_a_proxy_that_goes_while_its_client_signs_in(self) -> None:
        waiting: Deferred[None] = Deferred()
        request = self.realm.requestAvatar
        self.patch(
            self.realm, "requestAvatar", lambda *arguments: waiting.addCallback(lambda _: request(*arguments))
        )
        transport = self.connect()
        transport.send(b"XCLIENT LOGIN=alice\r\n")
        transport.drop()
        waiting.callback(None)
        self.assertEqual((self.realm.log_outs, self.factory.connections), (1, set()))

    def test_the_checker_of_a_directory_knows_who_can_sign_in(self) -> None:
        store = MemoryStore()
        store.directory.insert("alice@example.org", "record")
        store.directory.insert("postmaster@example.org", "")
        store.directory.insert("bob@example.org", disabled_record("record"))
        portal = store_portal(store, self.clock)
        for name, reply in (
            ("alice@example.org", GREETING),
            ("Alice@EXAMPLE.org", GREETING),
            ("postmaster@example.org", "S: 535 5.7.8..."),
            ("bob@example.org", "S: 535 5.7.8..."),
            ("ghost@example.org", "S: 535 5.7.8..."),
            ("alice", "S: 535 5.7.8..."),
        ):
            with self.subTest(name=name):
                transport = self.connect(portal=portal)
                transport.send(f"XCLIENT LOGIN={name}\r\n".encode())
                self.clock.advance(2)
                self.converse(transport, f"{reply}\nC: NOOP\nS: 250 2.0.0 OK")

    def test_the_session_ends_with_the_account(self) -> None:
        store = MemoryStore()
        store.directory.insert("alice@example.org", "record")
        transport = self.connect(portal=store_portal(store, self.clock), submission=True)
        self.converse(transport, f"C: XCLIENT LOGIN=alice@example.org\n{GREETING}")
        self.successResultOf(Deferred.fromCoroutine(store.directory.delete("alice@example.org")))
        self.clock.advance(1)
        self.assertEqual(transport.read()[:10], b"421 4.7.0 ")
        self.assertFalse(transport.is_open)

    def test_a_client_elsewhere_waits_for_its_greeting(self) -> None:
        """As without a proxy, which itself does not."""
        for address, waits in (
            ("203.0.113.9", True),
            ("[UNAVAILABLE]", True),
            ("127.0.0.1", False),
        ):
            for then in (b"", b"HELO a\r\n"):
                with self.subTest(address=address, then=then):
                    transport = self.connect(limits=SMTPLimits())
                    transport.send(f"XCLIENT ADDR={address}\r\n".encode() + then)
                    self.clock.advance(1.9)
                    self.assertEqual(transport.read() == b"", waits)
                    self.clock.advance(0.2)
                    transport.send(b"NOOP\r\n")
                    replies = transport.read().splitlines()
                    self.assertEqual(replies[-1], b"250 2.0.0 OK")
                    self.assertEqual(len(replies), 1 + waits + bool(then) * waits)

    def test_and_is_sent_away_if_it_does_not(self) -> None:
        transport = self.connect(limits=SMTPLimits())
        transport.send(b"XCLIENT ADDR=203.0.113.9\r\n")
        self.clock.advance(1)
        transport.send(b"EHLO a\r\n")
        self.clock.advance(1.1)
        self.assertEqual(transport.read(), b"554 5.5.1 You talk before you are greeted\r\n")
        self.assertFalse(transport.is_open)

    def test_the_proxy_waits_for_nothing_and_counts_under_nobody(self) -> None:
        """Until it has a client."""
        self.peer = "192.0.2.1"
        limits = SMTPLimits(greeting_wait=3, connections_per_peer=1)
        transports = [self.connect(limits=limits)]  # greeted at once
        transports += [MemoryTransport(self.factory.buildProtocol(None), self.peer) for _ in range(3)]
        for transport in transports[1:]:
            self.assertEqual(transport.read()[:4], b"220 ")
        for number, transport in enumerate(transports):
            transport.send(f"XCLIENT ADDR=203.0.113.{number}\r\n".encode())
            self.clock.advance(3)
            self.assertEqual(transport.read()[:4], b"220 ")
        same = MemoryTransport(self.factory.buildProtocol(None), self.peer)
        same.read()
        self.converse(same, "C: XCLIENT ADDR=203.0.113.3\nS: 421 4.3.2...\nS closes")
        for transport in transports:
            transport.drop()
        self.assertEqual((self.factory._peers, self.factory.connections), ({}, set()))

    def test_without_an_address_it_counts_under_its_own(self) -> None:
        first = self.connect(limits=SMTPLimits(connections_per_peer=1, greeting_wait=0, failure_delay=0))
        self.converse(first, f"C: XCLIENT NAME=a.example\n{GREETING}")
        second = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        second.read()
        self.converse(second, "C: XCLIENT NAME=b.example\nS: 421 4.3.2...\nS closes")

    def test_rates_are_the_clients(self) -> None:
        limits = SMTPLimits(messages_per_peer=1, greeting_wait=0)
        first = self.connect(limits=limits)
        mail = "C: HELO a\nS: 250...\nC: MAIL FROM:<a@b>\nS: "
        self.converse(first, f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}\n{mail}250...")
        for address, reply in (("203.0.113.9", "450 4.7.1..."), ("203.0.113.10", "250...")):
            other = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
            other.read()
            self.converse(other, f"C: XCLIENT ADDR={address}\n{GREETING}\n{mail}{reply}")

    def test_from_a_unix_socket(self) -> None:
        self.peer = ""
        for address, session_peer, ehlo in (
            ("ADDR=203.0.113.9", "203.0.113.9", EHLO_CLIENT),
            ("ADDR=[UNAVAILABLE]", "", EHLO_CLIENT),
            ("ADDR=127.0.0.1", "127.0.0.1", EHLO),
            ("NAME=a.example", "", EHLO),
        ):
            with self.subTest(address=address):
                self.assert_dialogue(
                    script(f"C: XCLIENT {address}\n{GREETING}", ehlo, f"C: XCLIENT NAME=a\n{ONCE}", MESSAGE),
                    xclient=Networks(["unix"]),
                )
                self.assertEqual(self.delivery.delivered[0][0].session.peer, session_peer)

    def test_through_a_proxy_of_the_proxy_protocol(self) -> None:
        """The list is about the client that the header names, and no other."""
        networks = Networks([LOOPBACK, "192.0.2.0/24"])
        for header, allowed in (
            (b"PROXY TCP4 192.0.2.7 198.51.100.2 1 25\r\n", True),
            (b"PROXY TCP4 203.0.113.9 198.51.100.2 1 25\r\n", False),
            (b"PROXY UNKNOWN\r\n", False),
            (v2(0x21, 0x12, TCP4), False),
            (v2(0x20, 0, b""), False),
        ):
            with self.subTest(header=header):
                self.connect(xclient=networks)
                proxied = ProxiedFactory(self.factory, Networks([LOOPBACK]), clock=self.clock)
                protocol = proxied.buildProtocol(IPv4Address("TCP", LOOPBACK, 1))
                assert isinstance(protocol, Protocol)
                transport = MemoryTransport(protocol, LOOPBACK)
                transport.send(header)
                transport.read()
                transport.send(b"XCLIENT ADDR=203.0.113.10\r\n")
                self.assertEqual(transport.read()[:4], b"220 " if allowed else b"550 ")
                if allowed:
                    (one,) = (one for one in self.factory.connections if one.transport is transport)
                    self.assertEqual(str(one.peer), "203.0.113.10 via 192.0.2.7 via 127.0.0.1")

    def test_the_log_has_both(self) -> None:
        with capturedLogs() as events:
            transport = self.connect()
            self.converse(transport, f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}")
            for _ in range(21):
                transport.send(b"?\r\n")
        lines = [formatEvent(event) for event in events]
        about = 'peer="203.0.113.9 via 127.0.0.1" protocol=smtp reply="421 4.7.0 Too many errors'
        self.assertTrue(any(about in line for line in lines), lines)
        self.assertTrue(
            any(line.startswith("203.0.113.9 via 127.0.0.1: by XCLIENT, {'ADDR'") for line in lines)
        )

    def test_zones_are_the_proxys_own(self) -> None:
        self.assert_dialogue(
            script(f"C: XCLIENT ADDR=IPV6:fe80::1%eth0\n{GREETING}\nC: HELO a\nS: 250...", MESSAGE)
        )
        envelope, content = self.delivery.delivered[0]
        self.assertEqual(envelope.session.peer, "fe80::1")
        self.assertTrue(content.startswith(b"Received: from a ([IPv6:fe80::1])\r\n"), content)

    def test_connections_are_counted_by_client(self) -> None:
        first = self.connect(limits=SMTPLimits(connections_per_peer=1, greeting_wait=0, failure_delay=0))
        self.converse(first, f"C: XCLIENT ADDR=203.0.113.9\n{GREETING}")
        second = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        second.read()
        self.converse(second, "C: XCLIENT ADDR=203.0.113.9\nS: 421 4.3.2...\nS closes")
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
                "C: STARTTLS\nS: 220...\nC starts TLS\nC: MAIL FROM:<a@b>\nS: 503 5.5.1 Say EHLO first",
                "C: HELO a\nS: 250...",
                "C: MAIL FROM:<a@b>\nS: 530 5.7.0 Authentication required",
            ),
            submission=True,
            tls=CertificateOptions(),
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
            (" HELO=a+00b", "Bad value of XCLIENT HELO"),
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
