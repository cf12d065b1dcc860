from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.proxy import Networks, network_of


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
