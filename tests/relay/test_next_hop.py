"""Next hops as operators write them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.relay import MX, NextHop


class ParseTests(SynchronousTestCase):
    def check(self, text: str, **parts: object) -> None:
        hop = NextHop.parse(text)
        seen = {name: getattr(hop, name) for name in parts}
        self.assertEqual(seen, parts, text)

    def test_urls(self) -> None:
        self.check("smtp://mail.example.org:587", scheme="smtp", host="mail.example.org", port=587, tls=None)
        self.check("smtps://mail.example.org", scheme="smtps", port=465)
        self.check("smtp://mail.example.org/", scheme="smtp", port=25)
        self.check("lmtp://10.0.0.1", scheme="lmtp", host="10.0.0.1", port=24)
        self.check("LMTP:///run/dovecot/lmtp", scheme="lmtp", host="", port=0, path="/run/dovecot/lmtp")
        self.check("smtp://[2001:DB8::1]:2525", host="2001:db8::1", port=2525)
        self.check("smtp://[::ffff:192.0.2.1]", host="192.0.2.1")
        self.check("smtp://[fe80::1%eth0]", host="fe80::1%eth0")
        self.check("smtp://Bücher.Example.", host="xn--bcher-kva.example")
        self.check("smtp://mail_relay:25", host="mail_relay")  # as containers are called

    def test_by_dns(self) -> None:
        self.assertEqual(NextHop.parse("mx"), MX)
        self.check("MX?tls=verified", scheme="mx", tls="verified", level="verified")

    def test_tls(self) -> None:
        for level in ("none", "opportunistic", "required", "verified"):
            self.check(f"smtp://a.example?tls={level}", tls=level, level=level)

    def test_tls_by_default(self) -> None:
        levels = {
            "mx": "opportunistic",
            "smtp://a.example": "opportunistic",
            "smtps://a.example": "verified",
            "lmtp://a.example": "opportunistic",
            "lmtp:///run/lmtp": "none",
        }
        self.assertEqual({text: NextHop.parse(text).level for text in levels}, levels)

    def test_with_credentials_the_certificate_must_be_good(self) -> None:
        """Unless the operator says otherwise, or the host is this machine."""
        password = Password("bob", "secret")
        for text, level in {
            "smtp://a.example": "verified",
            "smtp://a.example?tls=required": "required",
            "smtp://127.0.0.1": "opportunistic",
            "smtp://[::1]": "opportunistic",
            "smtp://localhost": "opportunistic",
        }.items():
            self.assertEqual(NextHop.parse(text).with_credentials(password).level, level, text)

    def test_one_spelling(self) -> None:
        for text, written in {
            "SMTP://Mail.Example.ORG./": "smtp://mail.example.org:25",
            "smtp://mail.example.org:25": "smtp://mail.example.org:25",
            "smtp://[2001:db8:0::1]?tls=none": "smtp://[2001:db8::1]:25?tls=none",
            "lmtp:///run/lmtp": "lmtp:///run/lmtp",
            "mx": "mx",
            "mx?tls=required": "mx?tls=required",
        }.items():
            self.assertEqual(str(NextHop.parse(text)), written)
            self.assertEqual(str(NextHop.parse(written)), written)

    def test_secrets_are_not_shown(self) -> None:
        hop = NextHop.parse("smtp://a.example").with_credentials(Password("bob", "secret"))
        self.assertNotIn("secret", f"{hop} {hop!r}")
        error = self.assertRaises(ValueError, NextHop.parse, "smtp://bob:secret@a.example")
        self.assertEqual(
            str(error),
            "the URL of a next hop has no name and password: they are in the file of credentials",
        )

    def test_errors_say_what_to_write(self) -> None:
        takes = "'mx' or a URL such as 'smtp://mail.example.org:587?tls=verified'"
        levels = "'none' or 'opportunistic' or 'required' or 'verified'"
        for text, error in {
            "mail.example.org": f"a next hop must be {takes}, not 'mail.example.org'",
            "http://a.example": f"a next hop must be {takes}, not 'http://a.example'",
            "smtp://a.example/x": f"a next hop must be {takes}, not 'smtp://a.example/x': there is something"
            " after the port",
            "smtp:///run/lmtp": "path must be the absolute path of LMTP's Unix socket, not '/run/lmtp'",
            "smtp://": "host must be a domain name or an IP address, not '': it is empty",
            "smtp://a..example": "host must be a domain name or an IP address, not 'a..example': it has an"
            " empty label",
            "smtp://300.1.1.1": "host must be a domain name or an IP address, not '300.1.1.1': it is no IP"
            " address",
            "smtp://[a.example]": "host must be a domain name or an IP address, not '[a.example]': it is no"
            " IP address (a port is given by itself)",
            "smtp://a.example:0": "port must be an int from 1 to 65535, not 0",
            "smtp://a.example:65536": "port must be an int from 1 to 65535, not 65536",
            "smtp://a.example:http": f"a next hop must be {takes}, not 'smtp://a.example:http'",
            "smtp://a.example?tls=yes": f"tls must be {levels}, not 'yes'",
            "smtp://a.example?TLS": "what follows ? in a next hop must be tls=none, opportunistic, required,"
            " verified, not 'TLS'",
            "smtps://a.example?tls=none": "tls must be 'required' or 'verified' with smtps, not 'none'",
            "lmtp:///run/lmtp?tls=required": "tls must be 'none' with a Unix socket, not 'required'",
            "mx:25": f"a next hop must be {takes}, not 'mx:25'",
        }.items():
            self.assertEqual(str(self.assertRaises(ValueError, NextHop.parse, text)), error)
        self.assertRaises(TypeError, NextHop.parse, None)

    def test_values_that_contradict_each_other(self) -> None:
        self.assertRaises(ValueError, NextHop, "mx", "a.example")
        self.assertRaises(ValueError, NextHop, "mx", credentials=Password("bob", "secret"))
        self.assertRaises(ValueError, NextHop, "lmtp", "a.example", path="/run/lmtp")
        self.assertRaises(ValueError, NextHop, "lmtp", path="run/lmtp")
        self.assertRaises(ValueError, NextHop, "http", "a.example")
        self.assertRaises(TypeError, NextHop, "smtp", 25)
