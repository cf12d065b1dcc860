"""Base64 as SASL's messages are in it, strictly."""

from __future__ import annotations

import base64
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth.sasl import MAX_RESPONSE, SASLError, decode_base64


class Base64Tests(SynchronousTestCase):
    def test_what_is_base64(self) -> None:
        for encoded, octets in (
            (b"", b""),
            (b"AHRpbQ==", b"\0tim"),
            (b"/+8=", b"\xff\xef"),
            (b"YWJj", b"abc"),
        ):
            self.assertEqual(decode_base64(encoded), octets)

    def test_what_is_not(self) -> None:
        for encoded in (
            b"YWJ",
            b"Y W J j",
            b"YWJj\r\n",
            b"=",
            b"=YWJ",
            b"YQ==YQ==",
            b"YQ=",
            b"Y-J_",
            b"*",
            b"\xff",
        ):
            with self.subTest(encoded=encoded):
                self.assertRaises(SASLError, decode_base64, encoded)

    def test_limit(self) -> None:
        self.assertEqual(len(decode_base64(b"A" * MAX_RESPONSE)), MAX_RESPONSE * 3 // 4)
        self.assertRaises(SASLError, decode_base64, b"A" * (MAX_RESPONSE + 4))

    def test_linear(self) -> None:
        began = time.process_time()
        self.assertRaises(SASLError, decode_base64, b"=" * 10_000_000)
        self.assertLess(time.process_time() - began, 1)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=60))
    def test_round_trip_and_anything(self, octets: bytes) -> None:
        self.assertEqual(decode_base64(base64.b64encode(octets)), octets)
        try:
            decode_base64(octets)
        except SASLError:
            return
        self.assertEqual(len(octets) % 4, 0)
