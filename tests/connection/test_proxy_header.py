"""HAProxy's PROXY protocol as octets."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection.proxy import MAX_PROXY_HEADER, ProxyHeader, ProxyHeaderError, parse_proxy_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4 = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack(">HH", 40000, 25)
TCP6 = bytes.fromhex("20010db8000000000000000000000001" * 2) + struct.pack(">HH", 40000, 25)
CLIENT4 = ProxyHeader(("192.0.2.1", 40000), ("198.51.100.2", 25))
CLIENT6 = ProxyHeader(("2001:db8::1", 40000), ("2001:db8::1", 25))
NOBODY = ProxyHeader()
OWN = ProxyHeader(is_own=True)


def v2(command: int, family: int, block: bytes) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(block)) + block


GOOD = {
    b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n": CLIENT4,
    b"PROXY TCP6 2001:db8::1 2001:DB8:0::1 40000 25\r\n": CLIENT6,
    b"PROXY UNKNOWN\r\n": NOBODY,
    b"PROXY UNKNOWN ffff:f...f:ffff x 65535 \n 65535\r\n": NOBODY,
    b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n": NOBODY,
    v2(0x21, 0x11, TCP4): CLIENT4,
    v2(0x21, 0x21, TCP6): CLIENT6,
    v2(0x21, 0x11, TCP4 + b"\x03\x00\x04abcd" + b"\x04\x00\x01\x00"): CLIENT4,
    v2(0x21, 0x11, TCP4 + b"any" * 1000): CLIENT4,
    v2(0x21, 0x31, bytes(216)): NOBODY,
    v2(0x21, 0x12, TCP4): NOBODY,
    v2(0x21, 0x00, b""): NOBODY,
    v2(0x21, 0x00, b"whatever"): NOBODY,
    v2(0x21, 0x22, TCP6): NOBODY,
    v2(0x21, 0x32, bytes(216)): NOBODY,
    v2(0x20, 0x00, b""): OWN,
    v2(0x20, 0x31, bytes(216)): OWN,
    v2(0x20, 0x00, b"\x04\x00\x01\x00"): OWN,
    v2(0x20, 0x11, TCP4): OWN,
    v2(0x20, 0xFF, b"x"): OWN,
}

BAD = (
    b"\n",
    b"EHLO client.example\r\n",
    b"PROXX",
    b"proxy TCP4 192.0.2.1 198.51.100.2 40000 25\r\n",
    b"\r\n\r\n\x00\r\nQUIT\r",
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 192.0.2.1 198.51.100.2 40000 25\r\n",
    b"PROXY UNKNOWNX\r\n",
    b"PROXY TCP4  192.0.2.1 198.51.100.2 40000 25\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25 \r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\nEHLO a\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.2 40000 25\r\n",
    b"PROXY TCP4 192.0.2.01 198.51.100.2 40000 25\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::1 40000 25\r\n",
    b"PROXY TCP6 192.0.2.1 198.51.100.2 40000 25\r\n",
    b"PROXY TCP6 fe80::1%lo ::1 40000 25\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 40000 025\r\n",
    b"PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY TCP4 " + b"1" * 96,
    v2(0x11, 0x11, TCP4),
    v2(0x31, 0x11, TCP4),
    v2(0x22, 0x11, TCP4),
    v2(0x21, 0x13, TCP4),
    v2(0x21, 0x41, TCP4),
    v2(0x21, 0x11, TCP4[:-1]),
    v2(0x21, 0x21, TCP6[:-1]),
    v2(0x21, 0x31, bytes(215)),
    SIGNATURE + b"\x21\x11" + struct.pack(">H", MAX_PROXY_HEADER + 1),
)


class HeaderTests(SynchronousTestCase):
    def test_good_ones(self) -> None:
        for data, header in GOOD.items():
            with self.subTest(data=data):
                self.assertEqual(parse_proxy_header(data), (header, len(data)))

    def test_what_follows_is_no_part_of_it(self) -> None:
        for data, header in GOOD.items():
            for rest in (b"E", b"EHLO a\r\n", b"\r\n", data, b"\x16\x03\x01"):
                with self.subTest(data=data, rest=rest):
                    self.assertEqual(parse_proxy_header(data + rest), (header, len(data)))

    def test_every_beginning_is_waited_with(self) -> None:
        for data in GOOD:
            for length in range(len(data)):
                self.assertIsNone(parse_proxy_header(data[:length]), data[:length])

    def test_bad_ones(self) -> None:
        for data in BAD:
            with self.subTest(data=data):
                self.assertRaises(ProxyHeaderError, parse_proxy_header, data)
                self.assertTrue(ProxyHeaderError.fatal)

    def test_a_limit_of_ones_own(self) -> None:
        data = v2(0x21, 0x11, TCP4 + b"more")
        self.assertEqual(parse_proxy_header(data, 16), (CLIENT4, len(data)))
        self.assertRaises(ProxyHeaderError, parse_proxy_header, data[:16], 15)


class ArbitraryTests(SynchronousTestCase):
    ALPHABET = st.one_of(
        st.binary(max_size=40),
        st.sampled_from([*GOOD, *BAD, SIGNATURE, b"PROXY ", b"TCP4 ", b" ", b"\r\n", b"\x21", b"\x00\x0c"]),
    )

    @settings(max_examples=500, deadline=None)
    @given(st.lists(ALPHABET, max_size=6))
    def test_no_other_error_and_the_same_in_pieces(self, parts: list[bytes]) -> None:
        """What is decided of a beginning stays decided, whatever follows."""
        data = b"".join(parts)
        decided: object = None
        for length in range(len(data) + 1):
            try:
                result: object = parse_proxy_header(data[:length])
            except ProxyHeaderError as error:
                result = str(error)
            if decided is not None:
                self.assertEqual(result, decided)
            decided = result
        if decided is None:
            self.assertLess(len(data), 16 + MAX_PROXY_HEADER)
