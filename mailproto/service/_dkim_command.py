"""``mailproto dkim``: the keys that sign messages, and what the DNS must say of them."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from mailproto.dkim import KeyFolder, SigningKey
from mailproto.service._command_error import CommandError
from mailproto.service._data import make_data_folder

__all__ = ["DKIM_FOLDER", "add_dkim_actions"]

DKIM_FOLDER = "dkim"
"""The keys' folder in the data folder."""

_STRING = 255
"""Octets of the longest string in a TXT record (RFC 1035 3.3)."""


def add_dkim_actions(add_action: Callable[[str, str], ArgumentParser]) -> None:
    """Add the actions to the parser.

    :param add_action: makes the parser of an action of a name and with a description.
    """
    keygen = add_action("keygen", "make keys for a domain, and print the DNS records for them")
    keygen.set_defaults(act=_keygen)
    keygen.add_argument("domain", metavar="DOMAIN")
    keygen.add_argument(
        "--selector", metavar="NAME", help="the name of the keys in the DNS [default: this month, mail202611]"
    )
    show = add_action("show", "print the DNS records again, for one domain or all")
    show.set_defaults(act=_show)
    show.add_argument("domain", metavar="DOMAIN", nargs="?")
    use = add_action("use", "let later keys of a domain sign, when the DNS has their records")
    use.set_defaults(act=_use)
    use.add_argument("domain", metavar="DOMAIN")
    use.add_argument("selector", metavar="NAME")


def _keygen(options: Namespace) -> None:
    selector = options.selector or time.strftime("mail%Y%m")
    keys = KeyFolder(make_data_folder(options.data) / DKIM_FOLDER)
    try:
        made = keys.add(options.domain, selector)
    except FileExistsError:
        raise CommandError(
            f"{options.domain} has keys of the selector {selector}: name another with --selector"
        ) from None
    print(_records(options.domain, made))
    if next(iter(keys.find(options.domain))) == selector:
        print("; a running server signs with these keys from now on: publish the records soon")
    else:
        print(f"; when the DNS has these records: mailproto dkim use {options.domain} {selector}")


def _show(options: Namespace) -> None:
    keys = _keys(options)
    domains = keys.domains() if options.domain is None else [options.domain]
    for domain in domains:
        found = keys.selectors(domain)
        if not found and options.domain is not None:
            raise CommandError(f"{domain} has no keys; to make some: mailproto dkim keygen {domain}")
        for number, (selector, made) in enumerate(found.items()):
            print(f"; {domain}: {selector}{' signs' if not number else ''}")
            print(_records(domain, made))


def _use(options: Namespace) -> None:
    _keys(options).use(options.domain, options.selector)


def _keys(options: Namespace) -> KeyFolder:
    return KeyFolder(Path(options.data) / DKIM_FOLDER)


def _records(domain: str, keys: Mapping[str, SigningKey]) -> str:
    """Lines of a zone file; long texts are several strings (RFC 6376 3.6.2.2)."""
    name = domain.removesuffix(".")
    lines = []
    for selector, key in keys.items():
        text = key.record
        strings = [f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING)]
        lines.append(f"{selector}._domainkey.{name}. IN TXT ( {' '.join(strings)} )")
    return "\n".join(lines)
