"""Servers that a benchmark starts, each a process of its own on a port of 127.0.0.1."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from _parts.guard import below
from _parts.program import WrongAnswer

__all__ = [
    "Server",
    "all_cpu_seconds",
    "cpu_seconds",
    "cpu_seconds_below",
    "ended_with_us",
    "free_port",
    "memory",
    "running",
    "twistd",
]

TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def twistd() -> list[str]:
    """How to start ``twistd`` in the foreground, in the environment of this program."""
    return [str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile="]


@dataclass
class Server:
    """A running server.

    :ivar output: what it wrote, once it has ended.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    output: str = ""

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid


@contextmanager
def ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process and those that it has started if this program is killed during the block.

    Another process (`guard`) does that, when this one holds the other end of its pipe no more.
    """
    command = [sys.executable, str(Path(__file__).with_name("guard.py")), str(process.pid)]
    guard = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        guard.kill()
        guard.communicate()


@contextmanager
def running(
    name: str, command: Sequence[str], port: int, *, greets: bool = True, wait: float = 30
) -> Iterator[Server]:
    """Start a server, wait until it listens, and end it after the block.

    What it writes goes to a file, not among the figures.

    :param greets: whether the server speaks first.
    :param wait: seconds until it must listen.
    :raises WrongAnswer: when it ends or does not listen in time; with its last lines.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        server = Server(name, port, process)
        try:
            with ended_with_us(process):
                _await(server, greets, time.monotonic() + wait)
                yield server
            if process.poll() is not None:
                raise WrongAnswer(f"{name} ended with {process.returncode}")
        except WrongAnswer as error:
            _end(process)
            raise WrongAnswer(f"{error}{_last_lines(_read(log))}") from error
        finally:
            _end(process)
            server.output = _read(log)


def _await(server: Server, greets: bool, until: float) -> None:
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise WrongAnswer(f"{server.name} ended with {server.process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", server.port), 1) as connection:
                connection.settimeout(5)
                if not greets or connection.recv(100):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise WrongAnswer(f"{server.name} does not listen on port {server.port}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):  # those that it has started, and that still work
        os.killpg(process.pid, signal.SIGKILL)


def _read(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace")


def _last_lines(output: str) -> str:
    return "".join(f"\n    {line}" for line in output.splitlines()[-15:])


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds_below(pid: int) -> float:
    """User and system time that a process has used, with what it has started, and what of that has ended."""
    used = 0.0
    for each in below(pid):
        with suppress(OSError), open(f"/proc/{each}/stat") as file:
            used += sum(map(int, file.read().rpartition(")")[2].split()[11:15])) / TICKS
    return used


def all_cpu_seconds() -> float:
    """Time that all programs together have used, or other virtual machines have taken, on all processors."""
    with open("/proc/stat") as file:
        user, nice, system, _idle, _iowait, *others = map(int, file.readline().split()[1:9])
    return (user + nice + system + sum(others)) / TICKS


def memory(pid: int) -> int:
    """Proportional set size of a process, in KiB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
