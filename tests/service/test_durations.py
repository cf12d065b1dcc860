from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.service._durations import MOST, duration_text, read_duration


class DurationTests(SynchronousTestCase):
    def test_with_and_without_a_unit(self) -> None:
        read = {"90": 90, "90s": 90, "5m": 300, "4h": 14_400, "5d": 432_000, "0": 0}
        for text, seconds in read.items():
            self.assertEqual(read_duration(text), seconds)

    def test_what_is_none(self) -> None:
        for text in ("", "d", "5 d", "5D", "1.5h", "-1", "5w", "1h30m", "٣", "5d\n", "9" * 5000):
            with self.assertRaises(ValueError) as caught:
                read_duration(text)
            self.assertEqual(
                str(caught.exception), "must be a length of time: seconds such as 90, or 90s, 5m, 4h or 5d"
            )

    def test_too_short_and_too_long(self) -> None:
        self.assertRaisesRegex(ValueError, "^must be at least 1m$", read_duration, "59", least=60)
        self.assertEqual(read_duration("10000d"), MOST)
        self.assertRaisesRegex(ValueError, "^must be at most 10000d$", read_duration, "10001d")

    def test_as_text(self) -> None:
        for text in ("5d", "4h", "1m", "90s", "0s", "25h", "10000d"):
            self.assertEqual(duration_text(read_duration(text)), text)
        self.assertEqual(duration_text(60.0), "1m")
