"""Many clients that do at random what mail clients do (``fuzz/imap_stress.py``), for a moment."""

from __future__ import annotations

import sys

from twisted.trial.unittest import TestCase

from tests.interop.server import CHECKOUT, HOST, PASSWORD, emptied, run, shared


class StressTests(TestCase):
    def test_nothing_that_clients_are_told_contradicts(self) -> None:
        server = emptied(shared())
        options = ["--seconds", "2", "--seed", "1", "--clients", "6", "--talk", "5"]
        options += ["--host", HOST, "--port", str(server.ports["imap"])]
        options += ["--user", server.accounts[2], "--password", PASSWORD]
        printed = run(sys.executable, CHECKOUT / "fuzz" / "imap_stress.py", *options, status=None)
        self.assertIn(" commands, 0 errors (", printed.decode())
        server.assert_fair()
