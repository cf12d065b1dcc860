"""Keeps policies of MTA-STS in a folder: a small file for each domain, which survives a restart."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailproto.files import make_folder
from mailproto.relay._tls._https import BODY_LIMIT
from mailproto.relay._tls._sts_policy import STSPolicy, parse_policy

__all__ = ["POLICIES_LIMIT", "KeptPolicy", "STSStore"]

POLICIES_LIMIT: Final = 10_000
"""The most policies that are kept on disk; the oldest are removed first."""

_SUFFIX: Final = ".json"
_FILE_LIMIT: Final = 8 * BODY_LIMIT  # JSON writes some octets as six


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """A policy, and what is known about it.

    :ivar id: of the record that announced it.
    :ivar fetched: when, in seconds since 1970.
    """

    id: str
    fetched: float
    policy: STSPolicy

    @property
    def end(self) -> float:
        """Until when it counts, in seconds since 1970."""
        return self.fetched + self.policy.max_age


class STSStore:
    """The files of a folder; its methods block, and are called in a thread.

    :param folder: made when the first policy is kept.
    :param limit: the most files.
    """

    def __init__(self, folder: str | os.PathLike[str], limit: int = POLICIES_LIMIT) -> None:
        self._folder = Path(folder)
        self._limit = limit

    def name(self, domain: str) -> str:
        """The name of a domain's file, which may have more octets than a file's name can have."""
        return f"{hashlib.sha256(domain.encode()).hexdigest()[:40]}{_SUFFIX}"

    def names(self) -> set[str]:
        """The names of all files.

        :raises OSError: the folder cannot be read.
        """
        try:
            return {name for name in os.listdir(self._folder) if name.endswith(_SUFFIX)}
        except FileNotFoundError:
            return set()

    def load(self, domain: str) -> KeptPolicy | None:
        """The policy of a domain in A-labels; None if there is none, or if its file is damaged.

        :raises OSError: the file cannot be read.
        """
        try:
            with (self._folder / self.name(domain)).open("rb") as file:
                text = file.read(_FILE_LIMIT)
        except FileNotFoundError:
            return None
        try:
            kept = json.loads(text)
            policy = parse_policy(str(kept["policy"]).encode())
            found = KeptPolicy(str(kept["id"]), float(kept["fetched"]), policy)
            return found if kept["domain"] == domain else None
        except (ValueError, KeyError, TypeError):
            return None

    def save(self, domain: str, kept: KeptPolicy, octets: bytes) -> set[str]:
        """Keep a policy: the file is old or new, never half, after a crash.

        It is not synced: what a power cut takes away is fetched again.

        :param octets: what the policy was read from.
        :returns: the names of all files.
        :raises OSError: it cannot be written.
        """
        make_folder(self._folder)
        names, name = self.names(), self.name(domain)
        if name not in names and len(names) >= self._limit:
            names = self._make_room(names)
        new = self._folder / f"{name}.{os.getpid()}.new"
        content = {"domain": domain, "id": kept.id, "fetched": kept.fetched, "policy": octets.decode()}
        new.write_text(json.dumps(content), "utf-8")
        new.replace(self._folder / name)
        return names | {name}

    def _make_room(self, names: set[str]) -> set[str]:
        """Remove the oldest files, a tenth of all; returns the names of the others."""
        oldest = sorted(names, key=lambda name: _age(self._folder / name))[: max(self._limit // 10, 1)]
        for name in oldest:
            (self._folder / name).unlink(missing_ok=True)
        return names.difference(oldest)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0
