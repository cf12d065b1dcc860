"""Which certificates are for a server: through real handshakes in memory.

Each case is what a dependency once promised and another of its releases did not keep, so these
run with the oldest and with the newest that ``setup.cfg`` allows (`.ci/run`).
"""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from mailproto.tls import client_tls
from mailproto.tls._server_identity import ServerIdentity
from mailproto.tls._subject_alt_names import subject_alt_names
from tests.tls.certificates import element, general_names, make_certificate
from tests.tls.ends import HandshakeTestCase

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
    ("SRVName", "mail.test", general_names((OTHER, bytes.fromhex("06082b06010505070807a0021600")))),
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
"""(what, the host that the client means, what the certificate is for)"""

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
    ("a URI of nothing", "mail.test", general_names((URI, b""), (DNS, b"mail.test"), (URI, b"a:b:c"))),
    ("raw octets beside it", "mail.test", dns_raw(b"\xff\xfe", b"", b"\0", b"mail.test", "пошта".encode())),
    ("an IPv4 address", "127.0.0.1", [ip("127.0.0.1")]),
    ("an IPv6 address", "2001:DB8:0::1", [dns("mail.test"), ip("2001:db8::1")]),
    ("an IPv6 address with a zone", "fe80::1%eth0", [ip("fe80::1")]),
    ("a mapped address", "::ffff:192.0.2.1", [ip("::ffff:192.0.2.1")]),
    ("broken addresses beside it", "127.0.0.1", general_names((IP, b"\x7f"), (IP, b""), (IP, b"\x7f\0\0\1"))),
    (
        "broken addresses beside a name",
        "mail.test",
        general_names((IP, b"\1"), (IP, bytes(8)), (DNS, b"mail.test")),
    ),
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
        """One that cannot be read hides the names from ``cryptography``."""
        broken = x509.UnrecognizedExtension(ExtensionOID.CERTIFICATE_POLICIES, b"\xff\x01")
        for names, is_good in (([dns("mail.test")], True), ([dns("evil.example")], False)):
            pair = make_certificate(issuer=self.authority, names=names, more=[broken])
            self.assertRaises(ValueError, lambda pair=pair: pair[1].extensions)
            self.talk(client_tls("mail.test", trust_root=self.trust_root), self.server(pair))
            (self.assert_taken if is_good else self.assert_refused)()

    def test_reason_names_names(self) -> None:
        self.look("", "mail.test", [dns("evil.example"), ip("192.0.2.1")], None)
        self.assert_refused("not good for mail.test: it is for evil.example, 192.0.2.1")
        odd = (b"a\r\n\x1b[1m\xe2\x80\xae", *(b"%d.test" % number for number in range(9)))
        self.look("", "mail.test", dns_raw(*odd), None)
        self.assert_refused(r"it is for a\r\n\x1b[1m\xe2\x80\xae, 0.test, 1.test, 2.test, 3.test and 5 more")
        self.look("", "mail.test", [], None)
        self.assert_refused("it is for no host at all")

    def test_more_names_than_anybody_needs(self) -> None:
        self.look("", "mail.test", dns_raw(*[b"a"] * 4096, b"mail.test"), None)
        self.assert_refused("more than 4096 names")


class HostTests(SynchronousTestCase):
    def test_what_no_certificate_can_be_for(self) -> None:
        for host in (
            *("", ".", "..", "a..b", ".mail.test", "mail.test..", "mail test", " mail.test", "mail.test\n"),
            *("mail.test\0", "mail.test\0.evil.example", "*", "*.mail.test", "my_host"),
            *("-mail.test", "mail-.test"),
            *("a" * 64 + ".test", ".".join(["a" * 60] * 5), "[127.0.0.1]", "127.0.0.1:25", "mail.test:25"),
            *("127.1", "2130706433", "0x7f000001", "0x7f.1", "1.2.3.4.5", "127.0.0.01"),
            *("mail.0x1", "mail.test.7", "user@mail.test", "smtp://mail.test", "xn--\xff.test"),
            *("::1::", "1::2%", "fe80::1%eth0%1", "127.0.0.1%eth0"),
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


class ArbitraryTests(SynchronousTestCase):
    """Whatever the octets: names, or a ValueError."""

    certificate = make_certificate(names=[dns("mail.test"), ip("192.0.2.1"), URN])[1].public_bytes(
        Encoding.DER
    )

    def test_whole(self) -> None:
        names = subject_alt_names(self.certificate)
        self.assertEqual((names.dns, names.ip), ((b"mail.test",), (b"\xc0\0\x02\x01",)))

    def test_parts(self) -> None:
        for length in range(len(self.certificate)):
            self.assertRaises(ValueError, subject_alt_names, self.certificate[:length])

    def test_extension_twice(self) -> None:
        twice = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.18"), dns_raw(b"mail.test"))
        certificate = make_certificate(names=[dns("mail.test")], more=[twice])[1].public_bytes(Encoding.DER)
        self.assertTrue(subject_alt_names(certificate).dns)
        as_the_other = certificate.replace(b"\x06\x03\x55\x1d\x12", b"\x06\x03\x55\x1d\x11")
        self.assertRaises(ValueError, subject_alt_names, as_the_other)

    def test_too_many_extensions(self) -> None:
        """A hundred kilobytes, which OpenSSL takes, have room for 12,500: to look at them took 10 ms."""
        extension = element(0x30, element(0x06, b"\x2a\x03") + element(0x04, b""))
        for number, is_good in ((4096, True), (4097, False)):
            extensions = element(0xA3, element(0x30, extension * number))
            certificate = element(0x30, element(0x30, extensions))
            if is_good:
                self.assertEqual(subject_alt_names(certificate).dns, ())
            else:
                self.assertRaises(ValueError, subject_alt_names, certificate)

    def assert_read_or_refused(self, octets: bytes) -> None:
        try:
            names = subject_alt_names(octets)
        except ValueError:
            return
        for name in (*names.dns, *names.ip):
            self.assertIn(name, octets)

    @given(at=st.integers(0, len(certificate) - 1), octets=st.binary(max_size=8), gone=st.integers(0, 8))
    def test_changed(self, at: int, octets: bytes, gone: int) -> None:
        self.assert_read_or_refused(self.certificate[:at] + octets + self.certificate[at + gone :])

    @given(st.binary())
    def test_octets(self, octets: bytes) -> None:
        self.assert_read_or_refused(octets)
        self.assert_read_or_refused(element(0x30, element(0x30, element(0xA3, octets))))
