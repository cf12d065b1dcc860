"""Cut the power of the SQLite store at random moments, with loads that no test has.

A load is recorded with strace (Debian package strace) and replayed to a model of a disk, which
keeps what was synced and any part of the rest.  What is left is opened by the store; what was
answered before the cut must be there.  A seed that fails is printed; it becomes a test.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from twisted.internet import task
from twisted.internet.defer import Deferred

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.durability.power_cut import fast_folder, record, verify_cuts
from tests.durability.recorder import can_trace


async def run(seconds: float, first: int, operations: int, cuts: int) -> None:
    """Seed after seed until the time is over."""
    end, total, last = time.monotonic() + seconds if seconds else float("inf"), 0, first
    for seed in itertools.count(first):
        with tempfile.TemporaryDirectory(prefix="mailproto-fuzz-", dir=fast_folder()) as name:
            recording = record(Path(name), seed, operations)
            await verify_cuts(recording, Path(name), Random(seed), cuts)
        total, last = total + cuts, seed
        if time.monotonic() > end:
            break
    print(f"{total} power cuts, seeds {first} to {last}: nothing was lost")


def main() -> None:
    """Read the options and go."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0, help="how long (default: until it is stopped)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="the first seed (default: the time)"
    )
    parser.add_argument("--operations", type=int, default=300, help="of a load (default: 300)")
    parser.add_argument("--cuts", type=int, default=60, help="of each load (default: 60)")
    given = parser.parse_args()
    if not can_trace():
        sys.exit("needs strace, and leave to use it: install the Debian package strace")
    task.react(lambda _: Deferred.fromCoroutine(run(given.seconds, given.seed, given.operations, given.cuts)))


if __name__ == "__main__":
    main()
