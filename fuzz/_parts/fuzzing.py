"""How a fuzz target is run: by atheris where it is installed, else on inputs made at random.

A program has a docstring, which ``--help`` shows, some inputs to begin with, and ends with
``run(__doc__, one_input, seeds)``.  An input that fails is kept in a file ``crash-...`` in the
current folder; the program, given that file, runs it again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from random import Random
from typing import Any, cast

from twisted.logger import LogLevel, globalLogPublisher

try:
    import atheris
except ImportError:
    atheris = None

__all__ = ["instrumented", "is_instrumented", "run"]

SLOW = 5
"""Seconds of a processor after which an input counts as a failure: it is small, and so should be the time."""

INSTRUMENTED = 10
"""How many times as long code takes that atheris observes."""


def is_instrumented() -> bool:
    """Whether atheris watches the branches, which makes everything several times slower."""
    return atheris is not None and not {"--plain", "--help", "-h"} & {*sys.argv}


def instrumented() -> AbstractContextManager[object]:
    """Around the imports of what is fuzzed: atheris then sees which branches were taken."""
    if not is_instrumented():
        return nullcontext()
    return cast(AbstractContextManager[object], atheris.instrument_imports())


def run(doc: str | None, one_input: Callable[[bytes], None], seeds: Sequence[bytes]) -> None:
    """Run a target; exits with a status other than 0 when an input fails, or fails in the log.

    :param doc: the program's docstring.
    :param one_input: raises an error on what must not be.
    :param seeds: inputs that lead far into what is fuzzed.
    """
    parser = argparse.ArgumentParser(
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Options of libFuzzer (-max_len=N, -jobs=N and so on) are handed to it.",
    )
    parser.add_argument("--seconds", type=int, default=0, help="how long (default: until it is stopped)")
    parser.add_argument(
        "--plain", action="store_true", help="inputs at random, even where atheris is installed"
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a corpus folder, or files to run once")
    given, others = parser.parse_known_args()
    one_input = _and_the_log(one_input)
    if atheris is None and not given.plain:
        print("atheris is missing: needs the package atheris (pip install atheris); inputs are random")
    if atheris is None or given.plain:
        if others:
            parser.error(f"only atheris takes {' '.join(others)}")
        _at_random(one_input, list(seeds), given.paths, given.seconds)
        return
    if not any(option.startswith("-timeout=") for option in others):
        others.append(f"-timeout={SLOW * INSTRUMENTED}")
    if given.seconds:
        others.append(f"-max_total_time={given.seconds}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        paths = list(given.paths)
        if not any(Path(path).is_file() for path in paths):
            for number, seed in enumerate(seeds):
                (Path(folder) / f"seed-{number}").write_bytes(seed)
            paths.append(folder)
        child = os.fork()
        if not child:
            atheris.Setup([sys.argv[0], *others, *paths], one_input)
            atheris.Fuzz()  # ends the process
        _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


def _and_the_log(one_input: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """``one_input``, which also fails if an error was logged: what an observer raises gets lost."""
    failures: list[Any] = []

    def observe(event: Any) -> None:
        if event["log_level"] in (LogLevel.critical, LogLevel.error):
            failures.append(event)

    globalLogPublisher.addObserver(cast(Any, observe))

    def checked(octets: bytes) -> None:
        one_input(octets)
        if failures:
            event = failures[0]
            failures.clear()
            trace = event["log_failure"].getTraceback() if "log_failure" in event else ""
            raise AssertionError(f"in the log: {event}\n{trace}")

    return checked


def _at_random(
    one_input: Callable[[bytes], None], seeds: list[bytes], paths: Sequence[str], seconds: int
) -> None:
    for path in map(Path, paths):
        if path.is_dir():
            seeds.extend(file.read_bytes() for file in path.iterdir() if file.is_file())
        else:
            _once(one_input, path.read_bytes())
    if paths and all(Path(path).is_file() for path in paths):
        return
    for seed in seeds:
        _once(one_input, seed)
    number = time.time_ns()
    random = Random(number)
    began, runs = time.monotonic(), 0
    while not seconds or time.monotonic() - began < seconds:
        _once(one_input, mutated(random, seeds))
        runs += 1
    print(f"{runs:,} inputs at random, and none failed (random seed {number})")


def mutated(random: Random, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds`` with some changes."""
    octets = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        start = random.randint(0, len(octets))
        stop = min(start + random.choice((0, 1, 1, 4, 50)), len(octets))
        other = random.choice(seeds)
        at = random.randint(0, len(other))
        octets[start:stop] = random.choice(
            (
                b"",
                random.randbytes(random.choice((1, 1, 2, 8))),
                other[at : at + random.choice((1, 8, 64))],
                octets[start : start + 20] * random.choice((2, 100)),
                random.choice((b"\r\n", b"\r", b"\n", b"\0", b"\xff", b" ", b'"', b"(", b")")),
            )
        )
    return bytes(octets)


def _once(one_input: Callable[[bytes], None], octets: bytes) -> None:
    began = time.process_time()
    try:
        one_input(octets)
        if (spent := time.process_time() - began) > SLOW:
            raise AssertionError(f"an input of {len(octets):,} octets took {spent:.0f} s")
    except Exception:
        traceback.print_exc()
        path = Path(f"crash-{hashlib.sha1(octets).hexdigest()}")
        path.write_bytes(octets)
        print(f"the input is in {path}", file=sys.stderr)
        sys.exit(1)
