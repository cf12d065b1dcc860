"""How a benchmark is made: its options, the check of its own answers, its figures and its table.

A program has a docstring, which ``--help`` shows, and ends with ``run(main)``.  Its exit status
is 0, or 1 if an answer was wrong, or 2 if something that it needs is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

__all__ = [
    "Missing",
    "Options",
    "Table",
    "WrongAnswer",
    "cpu_seconds_of",
    "expect",
    "median_ratio",
    "needed_tool",
    "optional_module",
    "run",
]


class WrongAnswer(Exception):
    """What was measured did not do its work."""


class Missing(Exception):
    """The benchmark needs a program or a library that is not installed."""


class Options(argparse.ArgumentParser):
    """Options with a ``--quick``, which makes every number small.

    :param doc: the program's docstring, as ``--help`` shows it.
    """

    def __init__(self, doc: str | None) -> None:
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._numbers: dict[str, tuple[int, int]] = {}
        self.add_argument(
            "--quick", action="store_true", help="a few seconds: check the answers, believe no figure"
        )

    def add_number(self, name: str, default: int, *, quick: int, help: str) -> None:
        """Add the option ``--name``: a number that is ``quick`` where ``--quick`` is given alone."""
        self._numbers[name] = (default, quick)
        self.add_argument(
            f"--{name}", type=_positive, help=f"{help} (default: {default:,}; quick: {quick:,})"
        )

    def parse(self, arguments: Sequence[str] | None = None) -> Any:
        """The options, each number filled in."""
        given = self.parse_args(arguments)
        for name, (default, quick) in self._numbers.items():
            if getattr(given, name) is None:
                setattr(given, name, quick if given.quick else default)
        return given


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


_positive.__name__ = "number"  # argparse says "invalid number value"


def run(main: Callable[[], None]) -> None:
    """Run a program; say in one line what was wrong or missing."""
    name = Path(sys.argv[0]).name
    try:
        main()
    except WrongAnswer as error:
        print(f"{name}: wrong answer: {error}", file=sys.stderr)
        sys.exit(1)
    except Missing as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)


def expect(what: str, found: object, expected: object) -> None:
    """Compare an answer with what it must be.

    :raises WrongAnswer: when they differ.
    """
    if found != expected:
        raise WrongAnswer(f"{what}: {_short(found)} instead of {_short(expected)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text):,} characters)"


def needed_tool(name: str, package: str) -> str:
    """The path of a program of Debian's ``package``.

    :raises Missing: when it is not installed.
    """
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise Missing(f"{name} is missing: needs the package {package} (apt-get install {package})")
    return path


def optional_module(name: str) -> bool:
    """Whether a Python package is installed; if it is not, a line says so."""
    if importlib.util.find_spec(name) is not None:
        return True
    print(f"{name} is left out: needs the package {name} (pip install {name})", flush=True)
    return False


def cpu_seconds_of(work: Callable[[], object], times: int, rounds: int = 5) -> float:
    """CPU seconds that one ``work`` takes: ``times`` of it a round, the best round."""
    best = float("inf")
    for _ in range(rounds):
        began = process_time()
        for _ in range(times):
            work()
        best = min(best, process_time() - began)
    return best / times


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ours to theirs, round by round: it moves less than either."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


class Table:
    """Figures under headings, printed line by line as they are found.

    :param title: above the names on the left; they have ``width`` columns.
    :param least: the least columns of a figure.
    """

    def __init__(self, title: str, *headings: str, width: int = 52, least: int = 14) -> None:
        self._width = width
        self._widths = [max(len(heading), least) for heading in headings]
        self.row(title, *headings)

    def row(self, name: str, *figures: str) -> None:
        """Print a name and what was found of it."""
        cells = [f"{figure:>{width}}" for figure, width in zip(figures, self._widths, strict=False)]
        print(f"{name:<{self._width}}  {'  '.join(cells)}".rstrip(), flush=True)
