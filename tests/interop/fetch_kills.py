"""``mailproto fetch`` is killed at random instants and run again: nothing is lost, nothing is there twice.

The long form: ``python -m tests.interop.fetch_kills --kills 300``.
"""

from __future__ import annotations

import argparse
import contextlib
import mailbox
import multiprocessing
import os
import poplib
import random
import shutil
import smtplib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, PATIENCE, Server, message

VARIABLE = "MAILPROTO_TEST_PASSWORD"
SOURCE, TARGET = ACCOUNTS[0], ACCOUNTS[2]
KINDS = ("maildir", "mbox", "account")

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["mailproto.service._command"])


class Killing:
    """One source and one target.

    :param scheme: ``pop3`` or ``imap``.
    :param kind: of the target.
    :ivar kills: the runs that were killed before they ended.
    """

    def __init__(self, server: Server, scheme: str, kind: str, seed: int) -> None:
        self._server = server
        self._scheme = scheme
        self._kind = kind
        self._random = random.Random(seed)
        self._folder = Path(tempfile.mkdtemp(prefix="mailproto-fetch-"))
        self._sent: list[str] = []
        self.kills = 0
        self._longest = 0.5  # seconds of a whole run

    def send(self, count: int) -> None:
        """Put messages, each like no other, into the source."""
        with smtplib.LMTP(HOST, self._server.ports["lmtp"], timeout=PATIENCE) as lmtp:
            for number in range(count):
                subject, octets = message("x" * (200_000 if number == 0 else number * 10))
                lmtp.sendmail("bob@example.com", [SOURCE], octets)
                self._sent.append(subject)

    def arguments(self) -> list[str]:
        place = TARGET if self._kind == "account" else str(self._folder / self._kind)
        port = self._server.ports[self._scheme]
        url = f"{self._scheme}://{SOURCE}@{HOST}:{port}"
        state = self._folder / "state"
        options = ["--plain", "--password-env", VARIABLE, "--data", str(self._server.folder), "--json"]
        return ["fetch", url, f"{self._kind}:{place}", "--state", str(state), *options]

    def kill(self) -> None:
        """Run it, and kill it at a random instant."""
        process = self._start()
        process.join(self._random.uniform(0, self._longest * 1.3))
        self.kills += process.exitcode is None
        process.kill()
        process.join()

    def finish(self) -> None:
        """Run it to its end."""
        deadline = time.monotonic() + PATIENCE
        while True:
            since = time.monotonic()
            process = self._start()
            process.join(PATIENCE)
            if process.exitcode == 0:
                self._longest = time.monotonic() - since
                return
            # The server may not have noticed yet that the last session is over.
            if process.exitcode != os.EX_TEMPFAIL or time.monotonic() > deadline:
                raise AssertionError(f"status {process.exitcode} of {self.arguments()}")
            time.sleep(0.1)

    def _start(self) -> multiprocessing.process.BaseProcess:
        process = _processes.Process(target=_run, args=(self.arguments(), str(self._folder / "output")))
        process.start()
        return process

    def judge(self) -> list[str]:
        """What is wrong: subjects that are lost, or there more than once."""
        there = Counter(self._subjects())
        wrong = [f"lost: {subject}" for subject in self._sent if not there[subject]]
        wrong += [f"{count} times: {subject}" for subject, count in there.items() if count > 1]
        if len(there) > len(self._sent):
            wrong.append(f"{len(there)} messages of {len(self._sent)}")
        return wrong

    def _subjects(self) -> list[str]:
        if self._kind == "account":
            return self._in_account()
        box = mailbox.Maildir if self._kind == "maildir" else mailbox.mbox
        opened = box(self._folder / self._kind, create=False)
        with contextlib.closing(opened):
            return [str(each["subject"]) for each in opened]

    def _in_account(self) -> list[str]:
        client = poplib.POP3(HOST, self._server.ports["pop3"], timeout=PATIENCE)
        client.user(TARGET)
        client.pass_(PASSWORD)
        found = []
        for number in range(client.stat()[0]):
            lines = client.top(number + 1, 0)[1]
            found += [line[9:].decode() for line in lines if line.startswith(b"Subject: ")]
        client.quit()
        return found

    def close(self) -> None:
        """Remove the files."""
        shutil.rmtree(self._folder)


def _run(arguments: Sequence[str], output: str) -> None:
    from mailproto.service._command import main

    os.environ[VARIABLE] = PASSWORD
    with open(output, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    main(arguments)


def kill_and_judge(server: Server, scheme: str, kind: str, *, kills: int, seed: int) -> Killing:
    """Kill so often, with new messages before each time.  :raises AssertionError: something is wrong."""
    killing = Killing(server, scheme, kind, seed)
    try:
        for _ in range(2):  # the first starts what starts the others
            killing.send(1)
            killing.finish()
        for _ in range(kills):
            killing.send(5)
            killing.kill()
        killing.finish()
        killing.finish()  # has nothing to do
        if wrong := killing.judge():
            raise AssertionError(f"{scheme} into {kind}, seed {seed}: {wrong}")
    finally:
        killing.close()
    return killing


def main() -> None:
    """The long form."""
    from tests.interop.server import emptied, shared

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for scheme in ("pop3", "imap"):
        for kind in KINDS:
            server = emptied(shared())
            since = time.monotonic()
            done = kill_and_judge(server, scheme, kind, kills=options.kills, seed=options.seed)
            seconds = time.monotonic() - since
            print(f"{scheme} into {kind}: {done.kills} kills, all is well ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
