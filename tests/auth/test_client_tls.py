"""What a client does with a server's certificate, through real handshakes in memory.

Each case is what a dependency once promised and another of its releases did not keep, so these
run with the oldest and with the newest that ``setup.cfg`` allows (`.ci/run`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import ServerTLS, client_tls, is_verified
from mailproto.auth._server_identity import ServerIdentity
from tests.auth.certificates import Pair, element, general_names, make_certificate, to_be_shown, write_pair

SECRET = b"AUTH PLAIN AGFsaWNlAHBlbmNpbA==\r\n"
OTHER, DIRECTORY, DNS, URI, IP, REGISTERED = 0xA0, 0xA4, 0x82, 0x86, 0x87, 0x88

dns = x509.DNSName
uri = x509.UniformResourceIdentifier


def dns_raw(*names: bytes) -> bytes:
    return general_names(*((DNS, name) for name in names))


def ip(address: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(address))


Names = list[x509.GeneralName] | bytes

URN = uri("urn:uuid:6c3f0f06-1111-4c4c-8f3c-f81d4fae7dec")

FOR_ANOTHER: list[tuple[str, str, Names]] = [
    ("no name", "mail.test", []),
    ("an empty list of names", "mail.test", general_names()),
    ("another", "mail.test", [dns("evil.example")]),
    ("another and a URI", "mail.test", [dns("evil.example"), URN]),
    ("the name in a URI", "mail.test", [uri("https://mail.test/"), uri("smtp://mail.test")]),
    ("a wildcard for a top-level domain", "mail.test", [dns("*.lan")]),
    ("a wildcard for its own top-level domain", "mail.test", [dns("*.test")]),
    ("a wildcard for everything", "mail.test", [dns("*")]),
    ("a wildcard and a dot", "mail.test", dns_raw(b"*.", b"*..")),
    ("two wildcards", "mail.test", [dns("*.*.test")]),
    ("two wildcards of a longer name", "mx.mail.test", [dns("*.*.test"), dns("*.*")]),
    ("a wildcard in a label", "mail.test", [dns("ma*.test"), dns("*ail.test"), dns("m*l.test")]),
    ("a wildcard in a label of a longer name", "mx.mail.test", [dns("m*.mail.test"), dns("*x.mail.test")]),
    ("a wildcard on the right", "mx.mail.test", [dns("mx.*.test"), dns("mx.mail.*")]),
    ("a wildcard for two labels", "a.b.mail.test", [dns("*.mail.test")]),
    ("a wildcard for no label", "mail.test", [dns("*.mail.test")]),
    ("a wildcard of a domain that ends alike", "mx.evilmail.test", [dns("*.mail.test")]),
    ("a name that is longer", "mail.test", [dns("mail.test.evil.example"), dns("evil.mail.test")]),
    ("a name that is shorter", "mx.mail.test", [dns("mail.test"), dns("test")]),
    ("NUL behind it", "mail.test", dns_raw(b"mail.test\0.evil.example", b"mail.test\0")),
    ("NUL before it", "mail.test", dns_raw(b"\0mail.test", b"evil.example\0mail.test")),
    ("an empty name", "mail.test", dns_raw(b"")),
    ("space around it", "mail.test", dns_raw(b" mail.test", b"mail.test ", b"mail.test\n", b"\tmail.test")),
    ("a dot before or behind it", "mail.test", dns_raw(b".mail.test", b"mail.test.", b"mail..test")),
    ("letters of another script", "mail.test", dns_raw("mаil.test".encode(), b"m\xe0il.test")),
    ("U-labels", "bücher.test", dns_raw("bücher.test".encode(), "bücher.test".encode("utf-16-be"))),
    ("other A-labels", "bücher.test", [dns("xn--bcher-kva.evil.test"), dns("xn--bcher.test")]),
    ("a wildcard of A-labels", "bücher.test", [dns("xn--*.test")]),
    ("rfc822Name only", "mail.test", [x509.RFC822Name("postmaster@mail.test"), x509.RFC822Name("mail.test")]),
    ("a directory name", "mail.test", [x509.DirectoryName(x509.Name([]))]),
    ("SRVName", "mail.test", general_names((OTHER, b"\x06\x08\x2b\x06\x01\x05\x05\x07\x08\x07\xa0\x02\x16\x00"))),
    ("an address as a name", "127.0.0.1", [dns("127.0.0.1")]),
    ("an address as a name, with a name", "127.0.0.1", [dns("127.0.0.1"), dns("mail.test")]),
    ("an IPv6 address as a name", "::1", [dns("::1")]),
    ("an address as a wildcard", "127.0.0.1", dns_raw(b"*.0.0.1", b"*")),
    ("an address as a URI", "127.0.0.1", [uri("https://127.0.0.1/")]),
    ("another address", "127.0.0.1", [ip("127.0.0.2"), ip("::1")]),
    ("a name for an address", "127.0.0.1", [dns("localhost")]),
    ("an address for a name", "localhost", [ip("127.0.0.1"), ip("::1")]),
    ("an address in words", "127.0.0.1", general_names((IP, b"127.0.0.1"))),
    ("an address and a mask", "127.0.0.1", general_names((IP, b"\x7f\0\0\1\xff\xff\xff\xff"))),
    ("half an address", "::1", general_names((IP, b"\1"), (IP, bytes(8)), (IP, bytes(15)), (IP, b""))),
    ("the IPv4 address mapped", "192.0.2.1", [ip("::ffff:192.0.2.1")]),
    ("the mapped one's IPv4 address", "::ffff:192.0.2.1", [ip("192.0.2.1")]),
    ("a name of four letters", "127.0.0.1", dns_raw(b"\x7f\0\0\1")),
]
"""(what, whom the client means, what the certificate is for)"""

FOR_IT: list[tuple[str, str, Names]] = [
    ("the name", "mail.test", [dns("mail.test")]),
    ("in other letters", "Mail.TEST", dns_raw(b"mAIL.test")),
    ("with the root's dot", "mail.test.", [dns("mail.test")]),
    ("one label", "localhost", [dns("localhost")]),
    ("many names", "mail.test", [dns("evil.example"), dns("*.lan"), dns("mail.test"), ip("127.0.0.1")]),
    ("a wildcard", "mx.mail.test", [dns("*.mail.test")]),
    ("a wildcard in other letters", "MX.mail.test", dns_raw(b"*.MAIL.Test")),
    ("a name beside a wildcard that matches all", "mail.test", [dns("*"), dns("*.*"), dns("mail.test")]),
    ("A-labels for U-labels", "bücher.test", [dns("xn--bcher-kva.test")]),
    ("A-labels for A-labels", "XN--BCHER-KVA.test", [dns("xn--bcher-kva.test")]),
    ("full-width letters", "ｍａｉｌ。test", [dns("mail.test")]),
    ("a wildcard for A-labels", "bücher.mail.test", [dns("*.mail.test")]),
    ("a label of underscores beside it", "mail.test", [dns("_smtp._tls.mail.test"), dns("mail.test")]),
    ("a URN beside it", "mail.test", [dns("mail.test"), URN]),
    ("a URN before it", "mail.test", [URN, dns("mail.test")]),
    ("a URI of nothing", "mail.test", general_names((URI, b""), (URI, b":"), (DNS, b"mail.test"), (URI, b"a:b:c"))),
    ("raw octets beside it", "mail.test", dns_raw(b"\xff\xfe", b"", b"\0", b"mail.test", "пошта.test".encode())),
    ("an IPv4 address", "127.0.0.1", [ip("127.0.0.1")]),
    ("an IPv6 address", "2001:DB8:0::1", [dns("mail.test"), ip("2001:db8::1")]),
    ("an IPv6 address with a zone", "fe80::1%eth0", [ip("fe80::1")]),
    ("a mapped address", "::ffff:192.0.2.1", [ip("::ffff:192.0.2.1")]),
    ("broken addresses beside it", "127.0.0.1", general_names((IP, b"\x7f\0\0"), (IP, b""), (IP, b"\x7f\0\0\1"))),
    ("broken addresses beside a name", "mail.test", general_names((IP, b"\1\2\3"), (IP, bytes(8)), (DNS, b"mail.test"))),
    ("a long list", "mail.test", [*(dns(f"host{n}.example") for n in range(500)), dns("mail.test")]),
]


MALFORMED: list[tuple[str, bytes]] = [
    ("the name under another tag", general_names((0x81, b"mail.test"), (0x16, b"mail.test"))),
    ("the name in a list", element(0x30, element(0x30, element(DNS, b"mail.test")))),
    ("the name twice as long as it is", b"\x30\x0b\x82\x12mail.test"),
    ("a list that is too short", b"\x30\x0a\x82\x09mail.test"),
    ("a list that is too long", b"\x30\x0c\x82\x09mail.test"),
    ("something behind the list", general_names() + dns_raw(b"mail.test")),
    ("an indefinite length", b"\x30\x80\x82\x09mail.test\x00\x00"),
    ("an enormous length", b"\x30\xff\x82\x09mail.test"),
    ("no list", b"mail.test"),
    ("nothing at all", b""),
]
"""What OpenSSL takes for a broken certificate, whichever end it is at."""

ODD: list[tuple[str, bytes]] = [
    ("kinds of names that few know", general_names((0xA3, b""), (0xA5, b"\0"), (DNS, b"mail.test"))),
    ("an otherName of nonsense", general_names((OTHER, b"\xff"), (REGISTERED, b""), (DNS, b"mail.test"))),
    ("a directory name of nonsense", general_names((DIRECTORY, b"\x01"), (DNS, b"mail.test"))),
]
"""The same, but with the name ``mail.test`` in it."""


class Recorder(Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = ""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.getErrorMessage()


class Eager(Recorder):
    """Says its secret whenever it can."""

    transport: Any

    def connectionMade(self) -> None:
        self.was_verified = is_verified(self.transport)
        self.transport.write(SECRET)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.writeSequence([SECRET])


class Greeter(Recorder):
    """A server that speaks first."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.write(b"220 Hello\r\n")


def limited_to(creator: ServerTLS, version: int | None) -> ServerTLS:
    """The same server, which knows no newer version."""
    if version is not None:
        creator._context.set_options(SSL.OP_NO_TLSv1_3)
    return creator


class HandshakeTestCase(SynchronousTestCase):
    """:ivar authority: whom the client trusts."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.authority = make_certificate(name="authority")
        self.trust_root, _ = write_pair(self.folder, "authority", self.authority)

    def server(self, pair: Pair, *chain: Pair, version: int | None = None, **more: Any) -> ServerTLS:
        files = write_pair(self.folder, "server", pair)
        with open(files[0], "ab") as file:
            for _, certificate in chain:
                file.write(certificate.public_bytes(Encoding.PEM))
        return limited_to(ServerTLS(*files, **more), version)

    def talk(self, client: Any, server: Any, protocol: Callable[[], Recorder] = Eager) -> None:
        """Until nobody has more to say; `self.client` and `self.said_by_client` say what came of it."""
        clock = Clock()
        self.accepted = Greeter()
        self.client = protocol()
        ends = []
        for tls, is_client, end in ((client, True, self.client), (server, False, self.accepted)):
            factory = TLSMemoryBIOFactory(tls, is_client, Factory.forProtocol(lambda end=end: end), clock=clock)
            wrapped = factory.buildProtocol(None)
            ends.append((wrapped, FakeTransport(wrapped, isServer=not is_client)))
        for wrapped, transport in ends:
            wrapped.makeConnection(transport)
        pump = IOPump(ends[0][0], ends[1][0], ends[0][1], ends[1][1], False, clock)
        pump.flush()
        self.is_verified = is_verified(self.client.transport)

    def assert_refused(self, *texts: str) -> None:
        self.assertEqual(self.accepted.heard, b"")
        self.assertEqual(self.client.heard, b"")
        self.assertFalse(self.is_verified)
        self.assertTrue(self.client.lost)
        for text in texts:
            self.assertIn(text, self.client.lost)
        self.assertTrue(self.client.lost.isprintable(), self.client.lost)
        self.assertLess(len(self.client.lost), 700)

    def assert_taken(self) -> None:
        self.assertEqual(self.client.lost, "")
        self.assertTrue(self.is_verified)
        self.assertEqual(self.client.heard, b"220 Hello\r\n")
        self.assertEqual(self.accepted.heard, SECRET * 2)


class NameTests(HandshakeTestCase):
    def look(self, what: str, host: str, names: Names, version: int | None) -> None:
        pair = make_certificate(issuer=self.authority, name=host.strip(".")[:60], names=names)
        self.talk(client_tls(host, trust_root=self.trust_root), self.server(pair, version=version))

    def test_for_another(self) -> None:
        for version in (SSL.TLS1_2_VERSION, None):
            for what, host, names in FOR_ANOTHER:
                with self.subTest(what, version=version):
                    self.look(what, host, names, version)
                    self.assert_refused("The certificate is not good for ", ServerIdentity(host).hostname)

    def test_for_it(self) -> None:
        for version in (SSL.TLS1_2_VERSION, None):
            for what, host, names in FOR_IT:
                with self.subTest(what, version=version):
                    self.look(what, host, names, version)
                    self.assert_taken()

    def test_malformed(self) -> None:
        """Refused by us, and by OpenSSL before: what is not DER, or a name that is not as its kind is."""
        for table, reason in ((MALFORMED, "The names in it|it is for "), (ODD, "\\Z")):
            for what, names in table:
                with self.subTest(what):
                    pair = make_certificate(issuer=self.authority, names=names)
                    found = ServerIdentity("mail.test").mismatch(X509.from_cryptography(pair[1]))
                    self.assertRegex(found, f"(?i)\\A(?:{reason})")
                    self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(pair))
                    self.assert_refused()

    def test_other_extensions_neither_help_nor_hurt(self) -> None:
        """One that nobody can read hides the names from ``cryptography``."""
        broken = x509.UnrecognizedExtension(ExtensionOID.CERTIFICATE_POLICIES, b"\xff\x01")
        for names, is_good in (([dns("mail.test")], True), ([dns("evil.example")], False)):
            pair = make_certificate(issuer=self.authority, names=names, more=[broken])
            self.assertRaises(ValueError, lambda pair=pair: pair[1].extensions)
            self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(pair))
            (self.assert_taken if is_good else self.assert_refused)()

    def test_reason_names_names(self) -> None:
        self.look("", "mail.test", [dns("evil.example"), ip("192.0.2.1")], None)
        self.assert_refused("not good for mail.test: it is for evil.example, 192.0.2.1")
        self.look("", "mail.test", dns_raw(b"a\r\n\x1b[1m\xe2\x80\xae", *(b"%d.test" % n for n in range(9))), None)
        self.assert_refused(r"it is for a\r\n\x1b[1m\xe2\x80\xae, 0.test, 1.test, 2.test, 3.test and 5 more")
        self.look("", "mail.test", [], None)
        self.assert_refused("it is for no host at all")

    def test_more_names_than_anybody_needs(self) -> None:
        self.look("", "mail.test", dns_raw(*[b"a"] * 4096, b"mail.test"), None)
        self.assert_refused("more than 4096 names")


class ChainTests(HandshakeTestCase):
    """A certificate that is for the server, by name, and no good all the same."""

    names = [dns("mail.test")]

    def look(self, pair: Pair, *chain: Pair) -> None:
        for version in (SSL.TLS1_2_VERSION, None):
            tls = client_tls("mail.test", trust_root=self.trust_root)
            self.talk(tls, self.server(pair, *chain, version=version))

    def test_good(self) -> None:
        self.look(make_certificate(issuer=self.authority, names=self.names))
        self.assert_taken()
        between = make_certificate(issuer=self.authority, name="between", is_authority=True)
        leaf = make_certificate(issuer=between, names=self.names)
        self.look(leaf, between)
        self.assert_taken()
        self.look(leaf)
        self.assert_refused("not good for mail.test: its authority, or one in between, is not known")

    def test_not_good(self) -> None:
        stranger = make_certificate(name="stranger")
        impostor = make_certificate(name="authority")
        old = make_certificate(issuer=self.authority, name="old", days=(-3, -2), is_authority=True)
        no_authority = make_certificate(issuer=self.authority, name="leaf", names=self.names)

        def leaf(issuer: Pair | None = self.authority, **more: Any) -> Pair:
            return make_certificate(issuer=issuer, names=self.names, **more)

        for what, reason, pair, chain in (
            ("expired", "has expired", leaf(days=(-3, -2)), []),
            ("not yet", "is not valid yet", leaf(days=(2, 3)), []),
            ("for clients", "is not for servers", leaf(usage=[ExtendedKeyUsageOID.CLIENT_AUTH]), []),
            ("for mail", "is not for servers", leaf(usage=[ExtendedKeyUsageOID.EMAIL_PROTECTION]), []),
            ("stranger's", "is not known", leaf(stranger), []),
            ("stranger's, with him", "is none of those that are trusted", leaf(stranger), [stranger]),
            ("impostor's", "", leaf(impostor), []),
            ("self-signed", "signed by itself", leaf(None, is_authority=False), []),
            ("of one that has expired", "has expired", leaf(old), [old]),
            ("of one that is no authority", "no authority", leaf(no_authority), [no_authority]),
        ):
            with self.subTest(what):
                self.look(pair, *chain)
                self.assert_refused("not good for mail.test: ", reason)

    def test_self_signed_and_trusted(self) -> None:
        for names, is_good in ((self.names, True), ([dns("evil.example")], False), ([], False)):
            pair = make_certificate(names=names, is_authority=False)
            self.trust_root, _ = write_pair(self.folder, "trusted", pair)
            self.look(pair)
            (self.assert_taken if is_good else self.assert_refused)()

    def test_for_servers_too(self) -> None:
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        self.look(make_certificate(issuer=self.authority, names=self.names, usage=usage))
        self.assert_taken()


class FailClosedTests(HandshakeTestCase):
    """Whatever goes wrong with the comparison, it is no match."""

    def setUp(self) -> None:
        super().setUp()
        self.good = make_certificate(issuer=self.authority, names=[dns("mail.test")])

    def talk_to_it(self, **more: Any) -> None:
        self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(self.good, **more))

    def test_an_error_in_the_comparison(self) -> None:
        for error in (ValueError("x"), KeyError("x"), RecursionError(), AssertionError(), SSL.Error([])):

            def broken(*_: Any, error: Exception = error) -> str:
                raise error

            self.patch(ServerIdentity, "mismatch", broken)
            for version in (SSL.TLS1_2_VERSION, None):
                self.talk_to_it(version=version)
                self.assert_refused()

    def test_openssl_that_asks_nobody(self) -> None:
        """Such as when a context has lost its callback, or a session is resumed."""
        for mode in (SSL.VERIFY_NONE, SSL.VERIFY_PEER):
            tls = client_tls("mail.test", trust_root=self.trust_root)
            tls._context.set_verify(mode)
            self.talk(tls, self.server(self.good))
            self.assert_refused("it was not looked at")

    def test_certificate_of_ours_is_not_shown_to_a_stranger(self) -> None:
        shown = to_be_shown(make_certificate("alice@mail.test", issuer=self.authority))
        for names, is_seen in (([dns("mail.test")], True), ([dns("evil.example")], False)):
            for version in (SSL.TLS1_2_VERSION, None):
                pair = make_certificate(issuer=self.authority, names=names)
                server = self.server(pair, version=version, client_ca=self.trust_root)
                tls = client_tls("mail.test", trust_root=self.trust_root, client_certificate=shown)
                seen: list[Any] = []

                class Looking(Eager):
                    def connectionMade(self) -> None:
                        super().connectionMade()

                self.talk(tls, server, Looking)
                self.assertEqual(bool(self.accepted.heard), is_seen)
                del seen


class UnverifiedTests(HandshakeTestCase):
    def test_any_certificate_and_never_verified(self) -> None:
        for host in ("mail.test", "127.0.0.1", "", "a b", "127.1", "my_host", "x" * 300):
            pair = make_certificate(names=[dns("evil.example")], days=(-3, -2))
            self.talk(client_tls(host, verify=False), self.server(pair))
            self.assertEqual((self.client.lost, self.accepted.heard), ("", SECRET * 2))
            self.assertFalse(self.is_verified)


class HostTests(SynchronousTestCase):
    def test_what_no_certificate_can_be_for(self) -> None:
        for host in (
            *("", ".", "..", "a..b", ".mail.test", "mail.test..", "mail test", " mail.test", "mail.test\n"),
            *("mail.test\0", "mail.test\0.evil.example", "*", "*.mail.test", "my_host", "-mail.test", "mail-.test"),
            *("a" * 64 + ".test", ".".join(["a" * 60] * 5), "[127.0.0.1]", "127.0.0.1:25", "mail.test:25"),
            *("127.1", "2130706433", "0x7f000001", "0x7f.1", "1.2.3.4.5", "127.0.0.01", "mail.0x1", "mail.test.7"),
            *("::1::", "1::2%", "fe80::1%eth0%1", "127.0.0.1%eth0", "user@mail.test", "smtp://mail.test", "xn--\xff.test"),
            *("ü" * 70 + ".test", "\u200b", "mail.te\u0000st"),
        ):
            with self.subTest(host=host):
                error = self.assertRaises(ValueError, client_tls, host)
                self.assertTrue(str(error).isprintable())

    def test_what_is_sent_as_server_name(self) -> None:
        for host, name in (
            ("Mail.Test.", b"mail.test"),
            ("bücher.test", b"xn--bcher-kva.test"),
            ("127.0.0.1", None),
            ("::1", None),
        ):
            self.assertEqual(ServerIdentity(host).server_name, name)
