"""Fuzz the proxy, `mailproto.backends.remote`.

Whatever the other server answers, or leaves out, and whenever it stops: the proxy's client is told
nothing that cannot be, each of its commands is answered or its session ended within the time limits,
nothing fails in the log, and it sees the truth once the other server tells that again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _parts.fuzzing import instrumented, run

sys.path.insert(0, str(Path(__file__).parent.parent))

with instrumented():
    from tests.backends.remote.liar import Lie
    from tests.backends.remote.test_any_upstream import COMMANDS, ENABLED, play


def one_input(data: bytes) -> None:
    """What the fuzzer calls: what the server and the client have, the client's commands, and the lies."""
    choice, number = (data[0], data[1] % 16) if len(data) > 1 else (0, 0)
    commands = [COMMANDS[each % len(COMMANDS)] for each in data[2 : 2 + number]]
    rest = data[2 + number :]
    lies = [Lie(*rest[at : at + 3]) for at in range(0, min(len(rest), 200) - 2, 3)]
    play(bool(choice & 1), ENABLED[choice // 2 % len(ENABLED)], lies, commands)


SEEDS = (
    b"\1\x05\0\1\2\3\4" + b"\0\0\0" * 8 + b"\4\1\7" * 4,
    b"\2\x08\5\7\x0f\x10\x11\0\1\2" + b"\0\0\0" * 6 + b"\7\2\6\x0b\0\0\x0f\0\1",
    b"\5\x0f\x0f\0\x10\0\x11\0\1\2\3\6\7\x08\x09\x0a\x0b" + b"\0\0\0" * 9 + b"\x0c\1\2\x0f\0\0\x0e\0\7",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)
