"""The target of a command that fetches mail, as operators write it."""

from __future__ import annotations

import hashlib
import os
from argparse import ArgumentTypeError, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from mailproto.client import MailboxURL
from mailproto.fetching import Maildir, Mbox
from mailproto.fetching._fetch_new import source_name

__all__ = ["FetchTarget", "state_file"]


@dataclass(frozen=True, slots=True)
class FetchTarget:
    """``account:NAME@DOMAIN``, ``maildir:PATH`` or ``mbox:PATH``.

    :ivar name: of the account, or the path.
    """

    kind: Literal["account", "maildir", "mbox"]
    name: str

    @classmethod
    def parse(cls, text: str) -> FetchTarget:
        """Read one.  :raises ArgumentTypeError: it is none."""
        kind, _, name = text.partition(":")
        if kind not in ("account", "maildir", "mbox") or not name:
            raise ArgumentTypeError("must be account:NAME@DOMAIN, maildir:PATH or mbox:PATH")
        return cls(cast(Literal["account", "maildir", "mbox"], kind), name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def is_account(self) -> bool:
        """Whether it is in the store of a server."""
        return self.kind == "account"

    def files(self) -> Maildir | Mbox:
        """The folder or the file."""
        return Maildir(self.name) if self.kind == "maildir" else Mbox(self.name)


def state_file(options: Namespace, url: MailboxURL, target: str) -> Path:
    """Where it is remembered what was fetched from ``url`` into ``target``, whose name is always the same.

    That is in the data folder for an account, and otherwise where the user's programs keep their state.
    """
    if options.state is not None:
        return Path(options.state)
    if options.target.is_account:
        folder = options.data
    else:
        home = os.environ.get("XDG_STATE_HOME", "")
        folder = Path(home if os.path.isabs(home) else Path.home() / ".local/state", "mailproto")
    name = hashlib.sha256(f"{source_name(url)}\n{target}".encode()).hexdigest()[:32]
    return Path(folder, "fetching", f"{name}.sqlite3")
