"""The next hop of each domain."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.relay import MX, NextHop, Routes


class RoutesTests(SynchronousTestCase):
    def test_the_default(self) -> None:
        self.assertEqual(Routes().next_hop("example.org"), MX)
        self.assertIsNone(Routes("off").next_hop("example.org"))
        self.assertIsNone(Routes(None).next_hop("example.org"))
        self.assertEqual(Routes("smtp://a.example").next_hop("[192.0.2.1]"), NextHop("smtp", "a.example"))

    def test_the_closest_route_wins(self) -> None:
        routes = Routes(
            "off",
            {
                "*.example.org": "smtp://wild.example",
                "example.org": "smtp://exact.example",
                "*.lab.example.org": "smtp://longer.example",
                "here.lab.example.org": "mx",
                "nowhere.example.org": "off",
            },
        )
        for domain, host in {
            "example.org": "exact.example",
            "EXAMPLE.org.": "exact.example",
            "a.example.org": "wild.example",
            "a.b.example.org": "wild.example",
            "lab.example.org": "wild.example",
            "a.lab.example.org": "longer.example",
            "here.lab.example.org": "",
        }.items():
            self.assertEqual(routes.next_hop(domain).host, host, domain)
        for domain in ("nowhere.example.org", "anexample.org", "org", "example.org.example"):
            self.assertIsNone(routes.next_hop(domain), domain)

    def test_any_spelling(self) -> None:
        routes = Routes("off", {"*.Bücher.example": "mx", "[IPv6:2001:DB8:0::1]": "mx", "[192.0.2.1]": "mx"})
        for domain in ("a.xn--bcher-kva.EXAMPLE", "a.BÜCHER.example", "[ipv6:2001:db8::1]", "[192.0.2.1]"):
            self.assertEqual(routes.next_hop(domain), MX, domain)

    def test_credentials_by_host(self) -> None:
        password = Password("bob", "secret")
        routes = Routes(
            "smtp://Mail.example", {"b.example": "smtps://mail.example:4650"}, {"mail.example": password}
        )
        self.assertEqual(routes.next_hop("a.example").credentials, password)
        self.assertEqual(routes.next_hop("b.example").credentials, password)
        own = Password("own", "secret")
        given = NextHop("smtp", "mail.example", credentials=own)
        self.assertEqual(Routes(given, credentials={"mail.example": password}).next_hop("a").credentials, own)

    def test_domains_behind_one_host_have_one_key(self) -> None:
        routes = Routes("smtp://mail.example", {"b.example": "smtp://mail.example:25", "*.c.example": "mx"})
        self.assertEqual(routes.key("a.example"), "smtp://mail.example:25")
        self.assertEqual(routes.key("b.example"), routes.key("a.example"))
        self.assertEqual(routes.key("X.c.example."), "x.c.example")
        self.assertEqual(Routes().key("BÜCHER.example"), "xn--bcher-kva.example")
        self.assertEqual(Routes().key("[IPv6:::FFFF:192.0.2.1]"), "[192.0.2.1]")
        self.assertEqual(Routes("off").key("a.example"), "a.example")

    def test_a_key_has_no_secret(self) -> None:
        routes = Routes("smtp://mail.example", credentials={"mail.example": Password("bob", "secret")})
        self.assertEqual(routes.key("a.example"), "smtp://mail.example:25")

    def test_errors(self) -> None:
        takes = "the domain of a route must be a domain such as 'example.org' or '*.example.org', not"
        for domain, error in {
            "*": f"{takes} '*': all other domains have the default",
            "a.*.example": f"{takes} 'a.*.example': it has the label '*': only letters, digits and - between"
            " them can be in one",
            "": f"{takes} '': it has an empty label",
            "[192.0.2]": f"{takes} '[192.0.2]': it has the label '[192': only letters, digits and - between"
            " them can be in one",
        }.items():
            made = self.assertRaises(ValueError, Routes, "mx", {domain: "mx"})
            self.assertEqual(str(made), error)
        error = self.assertRaises(ValueError, Routes, "mx", {"a.example": "mx", "A.example.": "off"})
        self.assertEqual(str(error), f"{takes} 'A.example.': it is there twice")
        self.assertRaises(ValueError, Routes, "somewhere")
        self.assertRaises(TypeError, Routes, 25)
        self.assertRaises(TypeError, Routes, "mx", ["example.org"])
        error = self.assertRaises(TypeError, Routes, "mx", {}, {"a.example": "secret"})
        self.assertNotIn("secret", str(error))
