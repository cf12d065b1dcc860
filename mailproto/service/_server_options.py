"""What commands must know of mailboxes on other servers: URLs and TLS (passwords: `_password_source`)."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable

from mailproto.client import MailboxURL
from mailproto.service._command_error import CommandError

__all__ = ["add_tls_options", "check_tls_options", "mailbox_url"]


def add_tls_options(parser: ArgumentParser) -> None:
    """Add the options about TLS."""
    parser.add_argument(
        "--plain", action="store_true", help="use no TLS: others may read the password and the mail"
    )
    parser.add_argument("--ca-file", metavar="FILE", help="the CA certificates to trust, in PEM form")


def check_tls_options(options: Namespace, urls: Iterable[MailboxURL]) -> None:
    """Check whether these options fit the URLs, before the process may change its folder or user.

    :raises CommandError: they do not.
    """
    for url in urls:
        try:
            url.address(None, plain=options.plain)
        except ValueError as error:
            raise CommandError(f"--plain: {error}", status=os.EX_USAGE) from None
    if options.ca_file is not None:
        options.ca_file = os.path.abspath(options.ca_file)


def mailbox_url(text: str) -> MailboxURL:
    """The URL of an argument.  :raises ArgumentTypeError: it is none."""
    try:
        return MailboxURL.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
