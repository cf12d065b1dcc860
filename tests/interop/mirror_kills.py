"""``mailproto mirror`` and ``migrate`` are killed at random instants and run again: all is there once.

The long form: ``python -m tests.interop.mirror_kills --kills 300``.
"""

from __future__ import annotations

import argparse
import contextlib
import imaplib
import smtplib
import sys
import time
from collections import Counter

from tests.interop.fetch_kills import SOURCE, TARGET, VARIABLE, Killing
from tests.interop.server import HOST, PASSWORD, PATIENCE, Server, message

MIRRORS = ("one way", "both ways", "to a server", "migrate")


class MirrorKilling(Killing):
    """Two accounts: one at its IMAP server, the other in the store or there, too."""

    def __init__(self, server: Server, kind: str, seed: int) -> None:
        super().__init__(server, "imap", kind, seed)
        self._urls = [f"imap://{name}@{HOST}:{server.ports['imap']}" for name in (SOURCE, TARGET)]
        self._removed: set[str] = set()

    def arguments(self) -> list[str]:
        options = ["--plain", "--data", str(self._server.folder), "--json"]
        state = ["--state", str(self._folder / "state")]
        password = ["--password-env", VARIABLE]
        if self._kind == "migrate":
            rows = self._folder / "list"
            rows.write_text(f"{self._urls[0]},{PASSWORD},account:{TARGET}\n")
            rows.chmod(0o600)
            return ["migrate", str(rows), *options, *state]
        if self._kind == "to a server":
            there = [self._urls[1], "--target-password-env", VARIABLE]
            return ["mirror", self._urls[0], *there, *options, *state, *password]
        both = ["--both"] if self._kind == "both ways" else []
        return ["mirror", self._urls[0], f"account:{TARGET}", *both, *options, *state, *password]

    def send(self, count: int) -> None:
        """Put messages into the source, and (both ways) into the target; flag one, and remove one."""
        super().send(count)
        sides = [SOURCE]
        if self._kind == "both ways":
            sides.append(TARGET)
            with smtplib.LMTP(HOST, self._server.ports["lmtp"], timeout=PATIENCE) as lmtp:
                for number in range(count):
                    subject, octets = message("y" * number * 10)
                    lmtp.sendmail("bob@example.com", [TARGET], octets)
                    self._sent.append(subject)
        for name in sides:
            with self._signed_in(name) as client:
                there = self._subjects_of(client)
                chosen = self._random.choice(there)
                client.store(str(there.index(chosen) + 1), "+FLAGS", "(\\Flagged)")

    def remove(self) -> None:
        """Remove a message that is on both sides."""
        with self._signed_in(SOURCE) as client:
            there = self._subjects_of(client)
            chosen = self._random.choice(there)
            client.store(str(there.index(chosen) + 1), "+FLAGS", "(\\Deleted)")
            client.expunge()
            self._removed.add(chosen)

    def judge(self) -> list[str]:
        """What is wrong: subjects that are lost, or there more than once, on each side; and other flags."""
        wrong = []
        flags = []
        expected = {subject for subject in self._sent if subject not in self._removed}
        for name in (SOURCE, TARGET):
            with self._signed_in(name) as client:
                there = Counter(self._subjects_of(client))
                flags.append(sorted(self._flagged(client)))
            wrong += [f"lost at {name}: {subject}" for subject in expected - set(there)]
            wrong += [f"still at {name}: {subject}" for subject in set(there) & self._removed]
            wrong += [f"{count} times at {name}: {each}" for each, count in there.items() if count > 1]
        if flags[0] != flags[1]:
            wrong.append(f"other flags: {flags[0]} and {flags[1]}")
        return wrong

    @contextlib.contextmanager
    def _signed_in(self, name: str):  # type: ignore[no-untyped-def]
        client = imaplib.IMAP4(HOST, self._server.ports["imap"], timeout=PATIENCE)
        client.login(name, PASSWORD)
        client.select("INBOX")
        try:
            yield client
        finally:
            client.logout()

    def _subjects_of(self, client: imaplib.IMAP4) -> list[str]:
        _, found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [each[1].decode().strip()[9:] for each in found if isinstance(each, tuple)]

    def _flagged(self, client: imaplib.IMAP4) -> list[str]:
        _, found = client.search(None, "FLAGGED")
        numbers = [int(each) for each in found[0].split()]
        there = self._subjects_of(client)
        return [there[number - 1] for number in numbers]


def kill_and_judge(server: Server, kind: str, *, kills: int, seed: int) -> MirrorKilling:
    """Kill so often, with changes before each time.  :raises AssertionError: something is wrong."""
    killing = MirrorKilling(server, kind, seed)
    try:
        killing.send(2)
        for _ in range(2):  # the first starts what starts the others
            killing.finish()
        for number in range(kills):
            if number % 3 == 1:  # only what is on both sides may be removed
                killing.finish()
                killing.remove()
            killing.send(3)
            killing.kill()
        killing.finish()
        if wrong := killing.judge():
            raise AssertionError(f"{kind}, seed {seed}: {wrong}")
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
    for kind in MIRRORS:
        since = time.monotonic()
        done = kill_and_judge(emptied(shared()), kind, kills=options.kills, seed=options.seed)
        print(f"{kind}: {done.kills} kills, all is well ({time.monotonic() - since:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
