"""Endpoint strings are completed."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import SynchronousTestCase

from mailproto.listening._endpoints import is_on_loopback, unix_path, with_defaults


class DefaultsTests(SynchronousTestCase):
    def test_asked_for_where_it_can_be(self) -> None:
        for endpoint, more in (
            ("tcp:25", ":backlog=1024"),
            ("tcp:25:interface=127.0.0.1", ":backlog=1024"),
            (r"tcp6:25:interface=\:\:1", ":backlog=1024"),
            ("haproxy:tcp:25", ":backlog=1024"),
            ("unix:/run/lmtp", ":mode=660:backlog=1024"),
            ("unix:address=/run/lmtp", ":mode=660:backlog=1024"),
            (r"unix:/run/mode\=666", ":mode=660:backlog=1024"),
            (r"unix:/run/a\:mode\=666", ":mode=660:backlog=1024"),
            ("unix:/run/lmtp:backlog=5", ":mode=660"),
            ("unix:/run/lmtp:lockfile=0", ":mode=660:backlog=1024"),
            ("unix:/run/lmtp:mode=600", ":backlog=1024"),
            ("unix:/run/lmtp:600", ":backlog=1024"),
            ("haproxy:unix:/run/lmtp", ":mode=660:backlog=1024"),
            ("haproxy:haproxy:unix:/run/lmtp", ":mode=660:backlog=1024"),
        ):
            with self.subTest(endpoint=endpoint):
                self.assertEqual(with_defaults(endpoint), endpoint + more)
                serverFromString(reactor, with_defaults(endpoint))

    def test_not_where_it_is_given_or_has_no_meaning(self) -> None:
        for endpoint in (
            "tcp:25:backlog=5",
            "tcp:25:127.0.0.1:5",
            "tcp6:25:5",
            "unix:/run/lmtp:mode=600:backlog=5",
            "unix:/run/lmtp:600:5",
            "haproxy:unix:/run/lmtp:mode=666:backlog=5",
            "systemd:domain=INET:index=0",
            "",
            ":",
            "\\",
        ):
            self.assertEqual(with_defaults(endpoint), endpoint)

    def test_where_the_socket_is(self) -> None:
        for endpoint, path in (
            ("unix:/run/lmtp", "/run/lmtp"),
            ("unix:mode=600:address=/run/lmtp", "/run/lmtp"),
            (r"unix:/run/a\:b\=c\\d", r"/run/a:b=c\d"),
            ("haproxy:unix:/run/lmtp:600", "/run/lmtp"),
            ("unix:\0abstract", None),
            ("unix:", None),
            ("unix", None),
            ("tcp:25", None),
            ("systemd:domain=UNIX:index=0", None),
        ):
            self.assertEqual(unix_path(endpoint), path)

    def test_who_can_connect(self) -> None:
        for endpoint in (
            "tcp:25:interface=127.0.0.1",
            "tcp:interface=127.0.0.2:port=25",
            "tcp:25:127.0.0.1",
            "tcp:25:interface=LOCALHOST",
            r"tcp6:25:interface=\:\:1",
            r"tcp6:25:50:\:\:1",
            "ssl:465:key.pem:cert.pem:SSLv23_METHOD:127.0.0.1",
            "haproxy:tcp:25:interface=127.0.0.1",
            "unix:/run/lmtp",
        ):
            self.assertTrue(is_on_loopback(endpoint), endpoint)
        for endpoint in (
            "tcp:25",
            "tcp:25:interface=",
            "tcp:25:interface=0.0.0.0",
            "tcp:25:interface=192.0.2.1",
            "tcp:25:interface=127.0.0.1.example.org",
            r"tcp6:25:interface=\:\:",
            "tcp6:25",
            "tcp6:25:127.0.0.1",
            "systemd:domain=INET:index=0",
            "fd:3",
            "",
        ):
            self.assertFalse(is_on_loopback(endpoint), endpoint)
