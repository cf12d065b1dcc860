"""A folder with the keys of domains: ``DOMAIN/SELECTOR.pem``, and which of them sign."""

from __future__ import annotations

import errno
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from mailproto._arguments import check_type, text_path, wrong_value
from mailproto.dkim._keys import SigningKey
from mailproto.domains import canonical_domain, domain_fault
from mailproto.files import make_folder, write_private

__all__ = ["LOOK_AGAIN", "MAX_DOMAINS", "KeyFolder"]

LOOK_AGAIN = 5.0
"""Seconds after which a domain's keys are looked at again."""

MAX_DOMAINS = 1000
"""The most domains whose keys are kept in memory."""

_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?")
_CHOSEN = "selector"
_SUFFIXES = {"rsa-sha256": "", "ed25519-sha256": "-ed25519"}
"""What is added to a selector: the two keys of a domain have records of their own."""


class KeyFolder:
    """The keys that sign for domains: an RSA and an Ed25519 key with one selector and another.

    A folder of each domain has the keys, ``SELECTOR.pem`` and ``SELECTOR-ed25519.pem``, and a file
    ``selector``, whose text is the selector that signs.  What other programs change there counts within
    `LOOK_AGAIN` seconds.

    :param path: of the folder; it may be missing.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = Path(text_path("path", path, "the path of a folder"))
        self._seconds = seconds
        self._known: dict[str, tuple[float, Mapping[str, SigningKey]]] = {}
        self._was_missing = False
        self._look_again = -math.inf  # for the folder

    @property
    def is_missing(self) -> bool:
        """Whether there is no such folder, so that no domain has keys; asked for each message."""
        now = self._seconds()
        if now >= self._look_again:
            self._was_missing, self._look_again = not os.path.exists(self._path), now + LOOK_AGAIN
        return self._was_missing

    def find(self, domain: str) -> Mapping[str, SigningKey]:
        """The keys that sign for a domain, by their selectors; none if it has none.

        :param domain: in any spelling.
        :raises OSError, ValueError: a file cannot be read, or is no key; the text names it.
        """
        check_type("domain", domain, str, "a domain, a str")
        domain = canonical_domain(domain)
        now = self._seconds()
        known = self._known.get(domain)
        if known is not None and now < known[0]:
            return known[1]
        keys = MappingProxyType(self._read(domain))
        if len(self._known) >= MAX_DOMAINS:
            self._known.clear()
        self._known[domain] = now + LOOK_AGAIN, keys
        return keys

    def _read(self, domain: str) -> dict[str, SigningKey]:
        if domain_fault(domain):  # it would be a path
            return {}
        folder = self._path / domain
        chosen = _chosen(folder)
        return _keys_of(folder, chosen) if chosen else {}

    def of_selector(self, domain: str, selector: str) -> Mapping[str, SigningKey]:
        """The keys that were made for a selector, whether they still sign or not; none if there are none.

        :param selector: that of one of them.
        :raises OSError, ValueError: as `find`.
        """
        selector = selector.removesuffix(_SUFFIXES["ed25519-sha256"])
        found = self.find(domain)
        if selector not in found and not domain_fault(domain) and _SELECTOR.fullmatch(selector):
            found = _keys_of(self._path / canonical_domain(domain), selector)
        return found if selector in found else {}

    def domains(self) -> list[str]:
        """The domains that have keys, sorted.

        :raises OSError:
        """
        try:
            return sorted(each.name for each in self._path.iterdir() if each.is_dir())
        except FileNotFoundError:
            return []

    def selectors(self, domain: str) -> Mapping[str, Mapping[str, SigningKey]]:
        """All keys of a domain, by the selector for which they were made; the one that signs is first.

        :raises OSError, ValueError: as `find`.
        """
        folder = self._folder(domain)
        names = sorted(file.stem for file in folder.glob("*.pem") if not file.stem.endswith("-ed25519"))
        chosen = _chosen(folder)
        names.sort(key=lambda name: name != chosen)
        return {name: _keys_of(folder, name) for name in names}

    def add(self, domain: str, selector: str) -> Mapping[str, SigningKey]:
        """Make keys, which are on disk afterwards; the first ones of a domain sign at once.

        :returns: the keys by their selectors.
        :raises ValueError: the domain or the selector is not valid.
        :raises FileExistsError: the domain has keys of that selector.
        :raises OSError:
        """
        folder = self._folder(domain)
        _check_selector(selector)
        if (folder / f"{selector}.pem").exists():
            raise FileExistsError(errno.EEXIST, "the domain has keys of that selector", str(folder))
        make_folder(folder)
        keys = {}
        for algorithm, suffix in _SUFFIXES.items():
            key = keys[selector + suffix] = SigningKey.generate(algorithm)
            write_private(folder / f"{selector}{suffix}.pem", key.pem)
        if not (folder / _CHOSEN).exists():
            write_private(folder / _CHOSEN, selector.encode("ascii") + b"\n")
        self._known.clear()
        self._look_again = -math.inf
        return keys

    def use(self, domain: str, selector: str) -> None:
        """Let the keys of a selector sign from now on.

        :raises ValueError: the domain has no such keys.
        :raises OSError:
        """
        folder = self._folder(domain)
        _check_selector(selector)
        if not (folder / f"{selector}.pem").exists():
            raise ValueError(f"{domain} has no keys of the selector {selector}")
        write_private(folder / _CHOSEN, selector.encode("ascii") + b"\n")
        self._known.clear()

    def _folder(self, domain: str) -> Path:
        name = canonical_domain(domain)
        if not name or domain_fault(name):
            raise wrong_value("domain", domain, "a domain such as example.org")
        return self._path / name


def _chosen(folder: Path) -> str:
    """The selector that signs; "" for none."""
    try:
        return (folder / _CHOSEN).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _keys_of(folder: Path, selector: str) -> dict[str, SigningKey]:
    """The keys that are there, of the two that belong to a selector."""
    keys: dict[str, SigningKey] = {}
    for suffix in _SUFFIXES.values():
        file = folder / f"{selector}{suffix}.pem"
        try:
            keys[selector + suffix] = SigningKey.from_pem(file.read_bytes())
        except FileNotFoundError:
            continue
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
    return keys


def _check_selector(selector: str) -> None:
    if not _SELECTOR.fullmatch(selector) or selector.lower().endswith("-ed25519"):
        raise wrong_value("selector", selector, "letters, digits and hyphens, such as mail2026")
