from __future__ import annotations

from ipaddress import ip_address, ip_network

from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.proxy import Networks, network_of
from tests.arguments import assert_refused


class NetworksTests(SynchronousTestCase):
    def test_addresses_and_networks(self) -> None:
        networks = Networks(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"])
        for host in ("192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.1"):
            self.assertIn(host, networks)
        for host in ("192.0.3.0", "198.51.100.8", "2001:db9::1", "unix", "proxy.example", ""):
            self.assertNotIn(host, networks)

    def test_ipv4_mapped_into_ipv6(self) -> None:
        for word, host, is_in in (
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1", True),
            ("::ffff:192.0.2.1", "192.0.2.2", False),
            ("::ffff:192.0.2.0/120", "192.0.2.7", True),
            ("::ffff:192.0.2.0/120", "192.0.3.7", False),
            ("::ffff:0:0/96", "192.0.2.1", True),
            ("::/0", "2001:db8::1", True),
        ):
            with self.subTest(word=word, host=host):
                self.assertEqual(host in Networks([word]), is_in)

    def test_zones(self) -> None:
        """On another link the same address is another machine's."""
        for word, host, is_in in (
            ("fe80::1%eth0", "fe80::1%eth0", True),
            ("fe80::1%eth0", "fe80::1%eth1", False),
            ("fe80::1%eth0", "fe80::1", False),
            ("fe80::1%eth0", "fe80::2%eth0", False),
            ("fe80::%eth0/64", "fe80::2%eth0", True),
            ("fe80::%eth0/64", "fe80::2%eth1", False),
            ("fe80::1", "fe80::1%eth0", True),
            ("fe80::/64", "fe80::1%eth1", True),
        ):
            with self.subTest(word=word, host=host):
                self.assertEqual(host in Networks([word]), is_in)

    def test_unix_sockets(self) -> None:
        self.assertIn("", Networks(["unix"]))
        self.assertNotIn("127.0.0.1", Networks(["unix"]))

    def test_nobody(self) -> None:
        self.assertFalse(Networks())
        self.assertNotIn("", Networks())
        self.assertTrue(Networks(["unix"]))
        self.assertTrue(Networks(["::1"]))

    def test_what_is_no_network(self) -> None:
        for word in ("", "192.0.2.1/24", "192.0.2.0/33", "proxy.example", "UNIX"):
            with self.subTest(word=word):
                self.assertRaises(ValueError, Networks, [word])

    def test_what_is_no_list_of_networks(self) -> None:
        """A str has parts and characters, so a test for membership in it would say yes to much."""
        takes = "networks must be a Networks or a list such as ['192.0.2.0/24', '::1', 'unix'], not "
        each = "each of networks must be a network such as '192.0.2.0/24', not "
        for value, line in (
            ("127.0.0.1/8", f"{takes}'127.0.0.1/8': write ['127.0.0.1/8']"),
            (b"::1", f"{takes}b'::1': write ['::1']"),
            (None, f"{takes}None"),
            (5, f"{takes}5"),
            (Networks, f"{takes}the class Networks"),
            (ip_network("10.0.0.0/8"), f"{takes}IPv4Network('10.0.0.0/8'): write ['10.0.0.0/8']"),
            ([5], "each of networks must be a network as text, such as '192.0.2.0/24', not 5"),
            ([b"::1"], "each of networks must be a network as text, such as '192.0.2.0/24', not b'::1'"),
            (["127.0.0.1/8"], f"{each}'127.0.0.1/8': write 127.0.0.0/8"),
            (["10.0.0.0/8,::1"], f"{each}'10.0.0.0/8,::1'"),
        ):
            with self.subTest(value=value):
                assert_refused(self, line, Networks, value)

    def test_what_makes_a_list_of_networks(self) -> None:
        for value in (["10.0.0.0/8"], {"10.0.0.0/8"}, iter(["10.0.0.0/8"]), [ip_network("10.0.0.0/8")]):
            networks = Networks.of("xclient", value)
            self.assertIn("10.1.2.3", networks)
            self.assertIs(Networks.of("xclient", networks), networks)
            self.assertIn("10.1.2.3", Networks(networks))
        self.assertIn("::1", Networks([ip_address("::1")]))
        self.assertRaises(TypeError, Networks.of, "xclient", None)


class OverlapTests(SynchronousTestCase):
    def test_overlaps(self) -> None:
        for one, other, overlap in (
            (["10.0.0.0/8"], ["10.1.2.3"], True),
            (["10.1.2.3"], ["192.0.2.1", "10.0.0.0/8"], True),
            (["::ffff:10.1.2.3"], ["10.0.0.0/8"], True),
            (["unix"], ["unix", "10.0.0.1"], True),
            (["10.0.0.0/8"], ["11.0.0.0/8", "unix"], False),
            (["::/0"], ["10.0.0.1"], False),
            ([], ["10.0.0.1"], False),
        ):
            self.assertIs(Networks(one).overlaps(Networks(other)), overlap, (one, other))


class NetworkOfTests(SynchronousTestCase):
    def test_one_client(self) -> None:
        for host, network in (
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("fe80::1%eth0", "fe80::"),
            ("", ""),
            ("no:address", "no:address"),
        ):
            self.assertEqual(network_of(host), network)
