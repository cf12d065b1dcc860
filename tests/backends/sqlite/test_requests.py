"""The writer's batches: who comes first, and the accounts' shares."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto.backends.sqlite import _requests
from mailproto.backends.sqlite._requests import LAST, Request, Requests


class RequestsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.requests = Requests()

    def ask(self, name: str, share: Hashable = None, weight: int = 0) -> Deferred[object]:
        result: Deferred[object] = Deferred()
        self.requests.put([Request(lambda transaction, arguments: arguments, name, result, share, weight)])
        return result

    def batch(self) -> str:
        """The names of the next one."""
        batch: list[Request] = []
        self.assertIs(self.requests.collect(batch), bool(batch))
        return "".join(request.argument for request in batch)

    def test_all_that_waits_is_one_batch_if_it_is_light(self) -> None:
        for name in "abc":
            self.ask(name, share=name, weight=10)
        self.ask("x")
        self.assertEqual(self.batch(), "xabc")

    def test_accounts_take_turns_whatever_the_number_of_requests(self) -> None:
        for name in "aaaaaaaa":
            self.ask(name, share=1, weight=400)
        for name in "bc":
            self.ask(name, share=name, weight=400)
        self.assertEqual(self.batch(), "abc")
        self.ask("d", share="d", weight=1000)
        self.assertEqual(self.batch(), "ad")
        self.assertEqual(self.batch(), "aaa")

    def test_a_heavy_request_comes_after_the_deliveries_that_wait_and_then_at_once(self) -> None:
        for share in range(3):
            self.ask(f"{share}", share, weight=10_000)
        self.ask("x")
        self.assertEqual(self.batch(), "x")
        self.ask("y")
        self.assertEqual(self.batch(), "y0")
        self.ask("z")
        self.assertEqual(self.batch(), "z")
        self.assertEqual(self.batch(), "1")
        self.assertEqual(self.batch(), "2")

    def test_requests_of_one_account_keep_their_order(self) -> None:
        for name in "abcdef":
            self.ask(name, share="abc".find(name), weight=600)
        self.assertEqual([self.batch() for _ in range(3)], ["ab", "cd", "ef"])

    def test_number(self) -> None:
        self.patch(_requests, "MAX_BATCH", 3)
        for name in "vwxyz":
            self.ask(name)
        for name in "abcde":
            self.ask(name, share=name)
        self.assertEqual([self.batch() for _ in range(2)], ["vwxabc", "yzde"])

    def test_what_was_cancelled_is_left_out_and_weighs_nothing(self) -> None:
        for name in "xab":
            result = self.ask(name, share=None if name == "x" else 1, weight=1000)
            result.addErrback(lambda _: None)
            result.cancel()
        self.ask("c", share=1)
        self.assertEqual(self.batch(), "c")

    def test_the_last_one_comes_after_all_that_wait(self) -> None:
        self.ask("z", share=LAST)
        self.ask("a", share=1, weight=1000)
        self.ask("b", share=1, weight=1000)
        self.ask("x")
        self.assertEqual(self.batch(), "xabz")
        self.ask("c")
        self.assertEqual(self.batch(), "c")

    def test_everything_is_done_before_the_end(self) -> None:
        for name in "abc":
            self.ask(name, share=1, weight=1000)
        self.requests.end()
        self.assertEqual([self.batch() for _ in range(5)], ["a", "b", "c", "", ""])

    def test_it_waits_for_one(self) -> None:
        thread = threading.Timer(0.02, self.ask, "a")
        begin = time.monotonic()
        thread.start()
        self.assertEqual(self.batch(), "a")
        self.assertGreater(time.monotonic() - begin, 0.01)
        thread.join()
