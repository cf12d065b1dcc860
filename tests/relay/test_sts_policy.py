"""Policies of MTA-STS, and the records that announce them (RFC 8461 3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.relay._tls._sts_policy import MAX_AGE, PATTERNS_LIMIT, STSPolicy, parse_policy, policy_id

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"


class RecordTests(SynchronousTestCase):
    def test_valid(self) -> None:
        for text in (
            b"v=STSv1; id=20160831085700Z;",
            b"v=STSv1;id=20160831085700Z",
            b"v=STSv1 ; x=1 ; id = 20160831085700Z ; y=2",
            b"v=STSv1; id=20160831085700Z; id=2",
        ):
            self.assertEqual(policy_id([b"v=spf1 -all", text, b"v=STSv10; id=1"]), "20160831085700Z", text)

    def test_not_valid(self) -> None:
        for texts in (
            [],
            [b"v=spf1 -all"],
            [b"v=STSv1"],
            [b"v=STSv1; id="],
            [b"v=STSv1; id=a-b"],
            [b"v=STSv1; id=" + b"a" * 33],
            [b"id=1; v=STSv1"],
            [b"v=STSv1; id=1\xff"],
            [b"v=STSv1; id=1", b"v=STSv1; id=1"],
        ):
            self.assertIsNone(policy_id(texts), texts)


class ParseTests(SynchronousTestCase):
    def test_the_example(self) -> None:
        """RFC 8461 3.2."""
        expected = STSPolicy("enforce", ("mail.example.com", "*.example.net"), 604800)
        for text in (
            POLICY,
            POLICY.replace("\r\n", "\n"),
            POLICY.rstrip(),
            POLICY.replace(": ", ":"),
            POLICY.replace(": ", " :\t"),
            POLICY + "\r\n",
            POLICY + "new_field: what else\r\nmode: none\r\n",
            POLICY.replace("mail.example.com", "MAIL.Example.com."),
        ):
            self.assertEqual(parse_policy(text.encode()), expected, text)

    def test_international_names(self) -> None:
        policy = parse_policy(POLICY.replace("mail.", "bücher.").encode())
        self.assertEqual(policy.patterns[0], "xn--bcher-kva.example.com")

    def test_none_needs_no_servers(self) -> None:
        self.assertEqual(parse_policy(b"version: STSv1\nmode: none\nmax_age: 1"), STSPolicy("none", (), 1))

    def test_the_longest_time(self) -> None:
        self.assertEqual(parse_policy(POLICY.replace("604800", "9999999999").encode()).max_age, MAX_AGE)

    def test_not_valid(self) -> None:
        for text, error in {
            "": "its version is not STSv1",
            POLICY.replace("STSv1", "STSv2"): "its version is not STSv1",
            POLICY.replace("enforce", "Enforce"): "its mode is none of enforce, testing and none",
            POLICY.replace("604800", ""): "it has no valid max_age",
            POLICY.replace("604800", "-1"): "it has no valid max_age",
            POLICY.replace("604800", "٣"): "it has no valid max_age",
            POLICY.replace("604800", "1" * 11): "it has no valid max_age",
            POLICY.replace("mx:", "my:"): "it names no server (mx)",
            POLICY.replace("mail.", "*.*."): "a server's name has the label '*'",
            POLICY.replace("mail.", "ma il."): "a server's name has the label 'ma il'",
            POLICY.replace("*.example.net", "*"): "a server's name has the label '*'",
            POLICY + "<html>": "a line is no field",
            POLICY + "mx: a\rb\r\n": "a line is no field",
            POLICY
            + "mx: a.example\n" * 2
            + "".join(
                f"mx: {number}.example\n" for number in range(PATTERNS_LIMIT)
            ): f"it has more than {PATTERNS_LIMIT} fields mx",
        }.items():
            raised = self.assertRaises(ValueError, parse_policy, text.encode())
            self.assertIn(error, str(raised))
        self.assertRaises(ValueError, parse_policy, POLICY.encode("utf-16"))
        self.assertRaises(ValueError, parse_policy, POLICY.encode() + b"\xff")


class MatchTests(SynchronousTestCase):
    def test_servers(self) -> None:
        """RFC 8461 4.1: a wildcard is one whole label."""
        policy = parse_policy(POLICY.encode())
        for host in ("mail.example.com", "a.example.net"):
            self.assertTrue(policy.allows(host), host)
        for host in (
            "example.com",
            "a.mail.example.com",
            "example.net",
            "a.b.example.net",
            "example.org",
            "",
        ):
            self.assertFalse(policy.allows(host), host)
