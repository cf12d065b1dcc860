"""Endpoint strings are completed."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.trial.unittest import SynchronousTestCase

from mailproto.listening._endpoints import unix_path, with_defaults


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
