"""Asserts that a wrong argument is refused at once, in one line that says what to pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase


def assert_refused(
    case: SynchronousTestCase, line: str, call: Callable[..., Any], /, *arguments: Any, **named: Any
) -> None:
    """``call`` raises TypeError or ValueError with exactly ``line``; a ``...`` at its end stands for more."""
    with case.assertRaises((TypeError, ValueError)) as raised:
        call(*arguments, **named)
    text = str(raised.exception)
    case.assertNotIn("\n", text)
    if line.endswith("..."):
        case.assertEqual(text[: len(line) - 3], line[:-3])
    else:
        case.assertEqual(text, line)
