"""What `relay.py` needs: two relays with queues on the same disk, a sink, and names for domains.

Each domain has a server with a name of its own, so that each is a destination of its own for both relays.
Ours asks a server of the DNS in this process; Postfix reads ``/etc/hosts``, and has one of its own in a mount
namespace.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from _parts.processes import Server, ended_with_us, free_port, running, twistd
from _parts.program import WrongAnswer, needed_tool

sys.path.append(str(Path(__file__).resolve().parents[2]))  # of the checkout

from tests.interop.postfix_files import write_postfix

__all__ = [
    "DEAD",
    "SILENT",
    "SINGLE",
    "CountingSink",
    "Names",
    "TimingSink",
    "counting_sink",
    "mailproto",
    "postfix",
    "why_no_postfix",
]

DEAD, SILENT, SINGLE = "dead", "silent", "single"
"""How the names of domains begin whose servers refuse connections, or accept them and say nothing, or are a
`TimingSink`."""

_ADDRESSES = {DEAD: "127.0.0.2", SILENT: "127.0.0.3", SINGLE: "127.0.0.4"}


def _address(domain: str) -> str:
    for kind, address in _ADDRESSES.items():
        if domain.startswith(kind):
            return address
    return "127.0.0.1"


class Names:
    """A server of the DNS, in a thread: each domain DOMAIN has the server mx.DOMAIN."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            octets, client = self._socket.recvfrom(2000)
            query = dns.message.from_wire(octets)
            question = query.question[0]
            name = question.name.to_text(omit_final_dot=True)
            answer = dns.message.make_response(query, recursion_available=True)
            records = ""
            if question.rdtype == dns.rdatatype.MX:
                records = f"10 mx.{name}."
            elif question.rdtype == dns.rdatatype.A:
                records = _address(name.removeprefix("mx."))
            if records:
                answer.answer = [dns.rrset.from_text(question.name, 3600, "IN", question.rdtype, records)]
            elif question.rdtype != dns.rdatatype.AAAA:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(), client)


# -- sinks


class CountingSink:
    """``smtp-sink``, which takes mail and forgets it, and writes how much that was."""

    def __init__(self, port: int, counts: Path, server: Server) -> None:
        self.port = port
        self._counts = counts
        self.server = server

    @property
    def taken(self) -> int:
        """How many messages it has taken."""
        with self._counts.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 200, 0))
            found = re.findall(rb"mesg=(\d+)\D", file.read())
        return int(found[-1]) if found else 0

    def wait_for(self, number: int, seconds: float) -> float:
        """When it had taken that many, in seconds of `time.perf_counter`.

        :param seconds: how long it may get none.
        :raises WrongAnswer: it got no more.
        """
        seen, until = -1, 0.0
        while (taken := self.taken) < number:
            if taken > seen:
                seen, until = taken, time.perf_counter() + seconds
            elif time.perf_counter() > until:
                raise WrongAnswer(f"{taken:,} messages arrived, not {number:,}; none in {seconds:.0f} s")
            time.sleep(0.01)
        return time.perf_counter()


@contextmanager
def counting_sink(folder: Path) -> Iterator[CountingSink]:
    """A sink on a port of 127.0.0.1; nothing on that of 127.0.0.2, and one that is silent on 127.0.0.3."""
    port, counts = free_port(), folder / f"sink-{time.monotonic_ns()}"
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    command = [needed_tool("smtp-sink", "postfix"), *user, "-c", f"127.0.0.1:{port}", "1000"]
    with counts.open("wb") as output, socket.socket() as silent:
        silent.bind(("127.0.0.3", port))
        silent.listen(1000)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            with ended_with_us(process):
                yield CountingSink(port, counts, Server("smtp-sink", port, process))
        finally:
            process.kill()
            process.wait()


class TimingSink:
    """A sink in a thread that knows when it sent its last reply to a whole message; of `SINGLE` domains."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server((_ADDRESSES[SINGLE], port))
        self.taken = threading.Event()
        self.at = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no longer."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), client.makefile("rb") as lines:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(b"220 sink.example\r\n")
            while line := lines.readline():
                verb = line[:4].upper()
                if verb == b"DATA":
                    client.sendall(b"354 Go on\r\n")
                    while lines.readline() != b".\r\n":
                        pass
                    self.at = time.perf_counter()
                    client.sendall(b"250 Taken\r\n")
                    self.taken.set()
                elif verb == b"EHLO":
                    client.sendall(b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
                else:
                    client.sendall(b"221 Bye\r\n" if verb == b"QUIT" else b"250 Ok\r\n")


# -- relays


@contextmanager
def mailproto(folder: Path, names: Names, mx_port: int, *options: str, wait: float = 30) -> Iterator[Server]:
    """Ours, which takes mail for anywhere from this machine."""
    port = free_port()
    command = [*twistd(), "mailproto", "--data", str(folder), "--hostname", "relay.example"]
    command += ["--domain", "relay.example", "--smtp", f"tcp:{port}:interface=127.0.0.1"]
    command += ["--relay", "mx", "--relay-from", "127.0.0.1", "--resolver", f"127.0.0.1:{names.port}"]
    with running("mailproto", [*command, "--mx-port", str(mx_port), *options], port, wait=wait) as server:
        yield server


_MAIN = """
myhostname = relay.example
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtp_host_lookup = native
# As many connections at once as the limit allows.
initial_destination_concurrency = 20
default_destination_concurrency_limit = 20
default_process_limit = 100
# Servers that are silent have all its processes until then; by default for 5 minutes.
smtp_helo_timeout = 20
"""


def why_no_postfix() -> str:
    """Why it cannot be started here; "" if it can."""
    if shutil.which("postfix") is None and not Path("/usr/sbin/postfix").exists():
        return "needs the Debian package postfix"
    if os.getuid() != 0:
        return "needs root, for users of its own and names of its own"
    return ""


@contextmanager
def postfix(folder: Path, domains: Sequence[str], mx_port: int) -> Iterator[Server]:
    """Postfix, which takes mail for these domains from this machine."""
    port = free_port()
    command = write_postfix(
        folder,
        main=_MAIN,
        services=f"127.0.0.1:{port} inet n - n - - smtpd",
        transport="".join(f"{each} smtp:[mx.{each}]:{mx_port}\n" for each in domains),
    )
    for path in (folder, *folder.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)  # its users have to enter
    hosts = "".join(f"{_address(each)} mx.{each}\n" for each in domains)
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
    script = f'mount --bind {folder}/hosts /etc/hosts && exec "$@"'
    begin = ["unshare", "--mount", "sh", "-c", script, "sh"]
    command[0] = needed_tool("postfix", "postfix")
    try:
        with running("Postfix", [*begin, *command, "start-fg"], port) as server:
            yield server
    finally:
        subprocess.run([*command, "abort"], capture_output=True, check=False)
