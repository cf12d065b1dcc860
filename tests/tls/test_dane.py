"""DANE: a server's certificate is compared with its TLSA records (RFC 7672)."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailproto.tls import dane_tls
from mailproto.tls._dane import CHAIN_LIMIT
from tests.tls.certificates import Pair, make_certificate
from tests.tls.ends import HandshakeTestCase

NAME = "mx.example"
NAMES = (x509.DNSName(NAME),)


def record(pair: Pair, usage: int, selector: int = 1, matching: int = 1) -> tuple[int, int, int, bytes]:
    certificate = pair[1]
    if selector == 0:
        octets = certificate.public_bytes(Encoding.DER)
    else:
        octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = {0: bytes, 1: lambda x: hashlib.sha256(x).digest(), 2: lambda x: hashlib.sha512(x).digest()}
    return usage, selector, matching, digest[matching](octets)  # type: ignore[operator]


class Case(HandshakeTestCase):
    def connect(self, server: Any, *records: Any, names: tuple[str, ...] = (NAME,)) -> None:
        self.talk(dane_tls(names, records), server)

    def assert_taken(self) -> None:
        self.assertTrue(self.is_verified, self.client.lost)
        self.assertEqual(self.client.heard, b"220 Hello\r\n")


class EndEntityTests(Case):
    """Usage 3: only the key or the certificate counts (RFC 7672 3.1.1)."""

    def test_each_way_to_match(self) -> None:
        own = make_certificate(name="own")
        for selector in (0, 1):
            for matching in (0, 1, 2):
                for version in (None, 2):
                    self.connect(self.server(own, version=version), record(own, 3, selector, matching))
                    self.assert_taken()

    def test_neither_names_nor_times_count(self) -> None:
        old = make_certificate(names=(x509.DNSName("other.example"),), days=(-20, -10))
        self.connect(self.server(old), record(old, 3))
        self.assert_taken()

    def test_one_of_many_records_is_enough(self) -> None:
        """As while a key is changed."""
        own, next_one = make_certificate(), make_certificate()
        self.connect(self.server(own), record(next_one, 3), record(own, 3), record(next_one, 2))
        self.assert_taken()

    def test_another_certificate(self) -> None:
        own, other = make_certificate(), make_certificate()
        for selector in (0, 1):
            for matching in (0, 1, 2):
                self.connect(self.server(own), record(other, 3, selector, matching))
                self.assert_refused("mx.example: it matches none of the TLSA records")

    def test_the_same_key_in_another_certificate(self) -> None:
        own = make_certificate()
        renewed = make_certificate(key=own[0], name="renewed")
        self.connect(self.server(renewed), record(own, 3, selector=1))
        self.assert_taken()
        self.connect(self.server(renewed), record(own, 3, selector=0))
        self.assert_refused()

    def test_what_is_not_known_never_matches(self) -> None:
        own = make_certificate()
        digest = record(own, 3)[3]
        for wrong in (
            (0, 1, 1, digest),
            (1, 1, 1, digest),
            (4, 1, 1, digest),
            (3, 2, 1, digest),
            (3, 1, 3, digest),
            (3, 1, 1, digest[:-1]),
            (3, 1, 1, b""),
            (3, 1, 0, b""),
        ):
            self.connect(self.server(own), wrong)
            self.assert_refused()


class TrustAnchorTests(Case):
    """Usage 2: an authority of the server's own choice has signed its certificate (3.1.2)."""

    def setUp(self) -> None:
        super().setUp()
        self.root = make_certificate(name="root")
        self.middle = make_certificate(name="middle", issuer=self.root, is_authority=True)
        self.own = make_certificate(name="own", issuer=self.middle, names=NAMES)

    def test_each_way_to_match(self) -> None:
        server = self.server(self.own, self.middle, self.root)
        for anchor in (self.root, self.middle):
            for selector in (0, 1):
                for matching in (0, 1, 2):
                    self.connect(server, record(anchor, 2, selector, matching))
                    self.assert_taken()

    def test_one_of_the_names(self) -> None:
        """RFC 7672 3.2.3: that of the server, or the domain's."""
        server = self.server(self.own, self.middle)
        self.connect(server, record(self.middle, 2), names=("other.example", NAME))
        self.assert_taken()
        self.connect(server, record(self.middle, 2), names=("other.example", "example"))
        self.assert_refused("it is for mx.example")

    def test_an_anchor_that_the_server_does_not_send(self) -> None:
        self.connect(self.server(self.own, self.middle), record(self.root, 2))
        self.assert_refused("neither it nor one that vouches for it matches a TLSA record")

    def test_an_anchor_that_has_signed_something_else(self) -> None:
        """Anybody can send a certificate that is known."""
        self_made = make_certificate(names=NAMES)
        self.connect(self.server(self_made, self.root), record(self.root, 2))
        self.assert_refused("does not vouch for it")
        forger = make_certificate(name="root")
        forged = make_certificate(issuer=forger, names=NAMES)
        self.connect(self.server(forged, self.root), record(self.root, 2))
        self.assert_refused("does not vouch for it")

    def test_an_issuer_that_is_no_authority(self) -> None:
        user = make_certificate(name="user", issuer=self.root, is_authority=False)
        own = make_certificate(issuer=user, names=NAMES)
        self.connect(self.server(own, user, self.root), record(self.root, 2))
        self.assert_refused("does not vouch for it")

    def test_times_count(self) -> None:
        old = make_certificate(issuer=self.root, names=NAMES, days=(-20, -10))
        self.connect(self.server(old, self.root), record(self.root, 2))
        self.assert_refused("does not vouch for it", "expired")

        later = make_certificate(issuer=self.root, names=NAMES, days=(10, 20))
        self.connect(self.server(later, self.root), record(self.root, 2))
        self.assert_refused("does not vouch for it")

    def test_times_of_others_count(self) -> None:
        old = make_certificate(name="old", issuer=self.root, is_authority=True, days=(-20, -10))
        own = make_certificate(issuer=old, names=NAMES)
        self.connect(self.server(own, old, self.root), record(self.root, 2))
        self.assert_refused("expired")

    def test_times_of_the_anchor_itself_do_not(self) -> None:
        """The DNS vouches for it, as OpenSSL's own DANE says, too."""
        old = make_certificate(name="old", issuer=self.root, is_authority=True, days=(-20, -10))
        own = make_certificate(issuer=old, names=NAMES)
        self.connect(self.server(own, old, self.root), record(old, 2))
        self.assert_taken()

    def test_the_servers_own_certificate_is_no_anchor(self) -> None:
        own = make_certificate(names=NAMES)
        self.connect(self.server(own), record(own, 2))
        self.assert_refused()

    def test_a_long_chain(self) -> None:
        others = [make_certificate(name=f"other {number}") for number in range(CHAIN_LIMIT)]
        self.connect(self.server(self.own, *others, self.middle), record(self.middle, 2))
        self.assert_refused()


class ArgumentTests(Case):
    def test_what_cannot_be(self) -> None:
        own = record(make_certificate(), 3)
        self.assertRaises(ValueError, dane_tls, (), [own])
        self.assertRaises(ValueError, dane_tls, ["mx.example"], [])
        self.assertRaises(ValueError, dane_tls, ["not a name"], [own])
