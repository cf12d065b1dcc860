"""``mailproto dkim`` as a process of its own."""

from __future__ import annotations

import re

from tests.processes import ProgramCase


class DKIMCommandTests(ProgramCase):
    def dkim(self, *arguments: str, status: int = 0) -> str:
        done = self.command("dkim", *arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_keys_are_made_shown_and_changed(self) -> None:
        said = self.dkim("keygen", "example.org", "--selector", "old")
        rsa, ed25519, last = said.splitlines()
        self.assertRegex(rsa, r'\Aold\._domainkey\.example\.org\. IN TXT \( "v=DKIM1; k=rsa; p=.*" ".*" \)\Z')
        self.assertLess(max(map(len, re.findall('"([^"]*)"', rsa))), 256)
        self.assertRegex(
            ed25519, r'\Aold-ed25519\._domainkey\.example\.org\. IN TXT \( "v=DKIM1; k=ed25519; '
        )
        self.assertIn("from now on", last)
        self.assertIn(
            "name another with --selector", self.dkim("keygen", "example.org", "--selector", "old", status=1)
        )
        self.assertIn(
            "mailproto dkim use example.org new", self.dkim("keygen", "example.org", "--selector", "new")
        )
        self.assertIn("; example.org: old signs\n" + rsa, self.dkim("show"))
        self.assertEqual(self.dkim("use", "example.org", "new"), "")
        self.assertIn("; example.org: new signs\n", self.dkim("show", "example.org"))

    def test_what_is_wrong(self) -> None:
        for arguments, text in (
            (("show", "a.example"), "a.example has no keys; to make some: mailproto dkim keygen a.example"),
            (("use", "a.example", "x"), "a.example has no keys of the selector x"),
            (("keygen", "../x"), "domain must be a domain such as example.org"),
            (("keygen", "a.example", "--selector", "a b"), "selector must be letters"),
        ):
            self.assertIn(text, self.dkim(*arguments, status=1))
