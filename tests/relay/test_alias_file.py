"""What an alias file may say, and what it means."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailproto.model import Address
from mailproto.relay.aliases import AliasFile, AliasLimits

DOMAINS = ["example.org", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example"]


class AliasFileCase(SynchronousTestCase):
    def write(self, text: str | bytes) -> Path:
        file = Path(self.mktemp())
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        file.chmod(0o644)
        return file

    def read(self, text: str | bytes, limits: AliasLimits | None = None) -> AliasFile:
        return AliasFile(self.write(text), DOMAINS, limits)

    def find(self, aliases: AliasFile, path: str, *, is_unknown: bool = False) -> str:
        """The results with commas between them; "-" for no alias."""
        found = aliases.addresses_for(Address.parse(path), is_unknown)
        return "-" if found is None else ",".join(map(str, found))


class ReadingTests(AliasFileCase):
    def test_names_and_addresses(self) -> None:
        aliases = self.read(
            "# comment\n\n"
            "info: alice, bob@example.org,\n"
            "  # no comment here, but in its own line:\n"
            "# one\n"
            "\tcarol@elsewhere.example\n"
            "sales@example.org : bob\r\n"
            "@old.example: alice@example.org\n"
        )
        self.assertEqual(len(aliases), 3)

    def test_continued_lines(self) -> None:
        aliases = self.read("info: alice,\n  bob,\n# a comment\n\n\tcarol@x.example\nroot: alice")
        self.assertEqual(
            self.find(aliases, "info@example.org"), "alice@example.org,bob@example.org,carol@x.example"
        )
        self.assertEqual(self.find(aliases, "root@example.org"), "alice@example.org")

    def test_a_name_is_for_each_of_our_domains(self) -> None:
        aliases = self.read("info: alice\nsales@example.org: bob\n")
        for path, found in (
            ("info@example.org", "alice@example.org"),
            ("INFO@EXAMPLE.ORG", "alice@example.org"),
            ("info@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "alice@example.org"),
            ("info@xn--bcher-kva.example", "alice@example.org"),
            ("info@elsewhere.example", "-"),
            ("sales@example.org", "bob@example.org"),
            ("sales@xn--bcher-kva.example", "-"),
            ("inf@example.org", "-"),
        ):
            self.assertEqual(self.find(aliases, path), found, path)

    def test_postmaster_without_a_domain(self) -> None:
        aliases = self.read("Postmaster: alice")
        self.assertEqual(self.find(aliases, "postmaster"), "alice@example.org")
        aliases = self.read("root: postmaster")
        self.assertEqual(self.find(aliases, "root@example.org"), "postmaster@example.org")

    def test_plus(self) -> None:
        aliases = self.read("alice: bob\nalice+lists: carol\nalice+x@example.org: dave\n")
        for local, found in (("alice+a", "bob"), ("alice+lists", "carol"), ("alice+x", "dave")):
            self.assertEqual(self.find(aliases, f"{local}@example.org"), f"{found}@example.org")

    def test_the_narrower_one_wins(self) -> None:
        aliases = self.read("info: alice\ninfo@example.org: bob\n@example.org: carol")
        self.assertEqual(self.find(aliases, "info@example.org"), "bob@example.org")
        self.assertEqual(self.find(aliases, "info@xn--bcher-kva.example"), "alice@example.org")

    def test_a_catch_all_is_for_unknown_addresses(self) -> None:
        aliases = self.read("@Old.Example.: alice\n@[192.0.2.1]: bob\n@[IPv6:2001:db8::1]: bob")
        self.assertEqual(self.find(aliases, "any@old.example"), "-")
        for path, found in (
            ("any@old.example", "alice@example.org"),
            ("any@sub.old.example", "-"),
            ("any@[192.0.2.1]", "bob@example.org"),
            ("any@[ipv6:2001:db8::1]", "bob@example.org"),
        ):
            self.assertEqual(self.find(aliases, path, is_unknown=True), found)

    def test_quotes(self) -> None:
        aliases = self.read(
            '"a b": "c d", "e, f"@x.example, <g@x.example>\n"a:b"@example.org: alice\n"x@y": alice\n'
        )
        self.assertEqual(
            self.find(aliases, '"a b"@example.org'), '"c d"@example.org,"e, f"@x.example,g@x.example'
        )
        self.assertEqual(self.find(aliases, '"a:b"@example.org'), "alice@example.org")
        self.assertEqual(self.find(aliases, '"x@y"@example.org'), "alice@example.org")
        self.assertEqual(self.find(aliases, "x@y"), "-")

    def test_the_own_mailbox(self) -> None:
        for text in ("alice: alice, x@y.example", "alice: \\alice, x@y.example"):
            self.assertEqual(self.find(self.read(text), "alice@example.org"), "alice@example.org,x@y.example")

    def test_international(self) -> None:
        aliases = self.read(
            "\ufeffJ\N{LATIN CAPITAL LETTER U WITH DIAERESIS}RGEN: x@b\N{LATIN SMALL LETTER U WITH DIAERESIS}"
            "cher.example\n"
        )
        path = "ju\N{COMBINING DIAERESIS}rgen@example.org"
        self.assertEqual(self.find(aliases, path), "x@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example")

    def test_an_address_that_is_there_twice_counts_once(self) -> None:
        self.assertEqual(
            self.find(self.read("info: alice, alice, alice@example.org"), "info@example.org"),
            "alice@example.org",
        )

    def test_an_empty_file(self) -> None:
        self.assertEqual(len(self.read("")), 0)


class RefusedTests(AliasFileCase):
    def error(self, text: str | bytes, limits: AliasLimits | None = None) -> str:
        return str(self.assertRaises(ValueError, self.read, text, limits))

    def test_lines(self) -> None:
        for entry, words in (
            ('prog: "|/usr/bin/vacation -t"', "programs are not run"),
            ("prog: |/bin/cat", "programs are not run"),
            ("list: :include:/etc/list", "other files are not included"),
            ('list: ":include:/etc/list"', "other files are not included"),
            ("null: /dev/null", "no mail is written to files"),
            ("info alice", "must be NAME: ADDRESS"),
            ("info:", "info has no addresses"),
            ("info: ,,", "info has no addresses"),
            (": alice", "there is no name"),
            ("a b: alice", "a b can be no name"),
            ("info: a b", "a b can be no name"),
            ("info: alice@", "alice@ is no address: there is nothing after the @"),
            ("info: @example.net", "a whole domain cannot get the mail"),
            ("@a b: alice", "the domain of @a b"),
            ("@: alice", "the domain of @"),
            ("a@b@c: alice", "is no address"),
            ('info: "alice', "a quotation has no end"),
            ('"info: alice', "must be NAME: ADDRESS"),
            ("info: \\bob", "a backslash only means"),
            ("info: al\u200bice", "can be no name"),
            ("info: alice@ex\u200bample.org", "cannot be seen"),
            ("info: Alice <alice@example.org>", "is no address"),
            ("root: bob\nROOT: alice", "it is there already, in line 2"),
            ("root@example.org: bob\nroot@EXAMPLE.org.: alice", "it is there already, in line 2"),
            (f"info: {'x' * 65}@example.org", "longer than 64 octets"),
        ):
            number = 2 + entry.count("\n")
            error = self.error(f"# first\n{entry}\n")
            self.assertTrue(error.startswith(f"line {number}: ") and words in error, (entry, error))
        self.assertIn("line 1: it begins with a space", self.error(" alice"))
        self.assertIn("line 2: it is not UTF-8", self.error(b"a: b\nc: \xff\n"))

    def test_limits(self) -> None:
        for text, limits, words in (
            ("info: alice\n", AliasLimits(file=11), "it has more than 11 octets"),
            ("a: x\nb: x\nc: x\n", AliasLimits(entries=2), "line 3: there are more than 2 entries"),
            ("a: x, y, z\n", AliasLimits(addresses=2), "line 1: a has more than 2 addresses"),
            ("a: x,\n y,\n z\n", AliasLimits(entry=8), "line 1: the entry has more than 8 octets"),
        ):
            self.assertEqual(self.error(text, limits), words)
        self.assertEqual(len(self.read("info: alice\n", AliasLimits(file=12))), 1)
        self.assertEqual(len(self.read("a: x\nb: x\n", AliasLimits(entries=2, addresses=1, entry=4))), 2)
        self.assertRaises(ValueError, AliasLimits, depth=0)

    def test_an_entry_takes_linear_time(self) -> None:
        """With quadratic time, each of them takes minutes."""
        big, many = AliasLimits(entry=1 << 20, addresses=1 << 20), 900_000
        for entry in ("a" + " " * many, "a: " + " " * many + '"', 'a: "' + "\\" * many, '"' * (many + 1)):
            self.error(entry, big)
        self.error("a: " + "," * 900_000, big)

    def test_files(self) -> None:
        file = self.write("a: alice\n")
        file.chmod(0o646)
        self.assertIn("anybody may write it", str(self.assertRaises(ValueError, AliasFile, file, DOMAINS)))
        self.assertIn("No such file", str(self.assertRaises(ValueError, AliasFile, "/no/such", DOMAINS)))
        self.assertIn("no regular file", str(self.assertRaises(ValueError, AliasFile, "/dev/null", DOMAINS)))
        fifo = self.mktemp()
        os.mkfifo(fifo)
        self.assertIn("no regular file", str(self.assertRaises(ValueError, AliasFile, fifo, DOMAINS)))
        self.assertRaises(TypeError, AliasFile, file, "example.org")


class AgainTests(AliasFileCase):
    def test_a_changed_file(self) -> None:
        file = self.write("info: alice\n")
        aliases = AliasFile(file, DOMAINS)
        file.write_text("info: bob\n")
        use = aliases.prepare()
        self.assertEqual(self.find(aliases, "info@example.org"), "alice@example.org")
        use()
        self.assertEqual(self.find(aliases, "info@example.org"), "bob@example.org")
        file.write_text("info bob\n")
        self.assertRaises(ValueError, aliases.prepare)
        self.assertEqual(self.find(aliases, "info@example.org"), "bob@example.org")
