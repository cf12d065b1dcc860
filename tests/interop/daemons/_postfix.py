"""Postfix, with queues of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tests.interop.daemons._daemon import Daemon, need_root, new_folder
from tests.interop.daemons._dovecot import dovecot
from tests.interop.postfix_files import write_postfix
from tests.interop.server import HOST, need
from tests.interop.sink import HOSTNAME, certificate, free_port, unused_port

__all__ = [
    "postfix",
    "postfix_of_kinds",
    "postfix_on",
    "postfix_with_chain",
    "postfix_with_users",
    "postfix_with_xclient",
]

_SERVICES = """
{place} inet n - n - - smtpd
tls unix - - n - - smtp -o smtp_tls_security_level=secure
"""

_MAIN = """
myhostname = postfix.test
smtputf8_enable = yes
relayhost =
default_transport = error:5.1.2 nothing leaves this machine
relay_transport = error:5.1.2 nothing leaves this machine
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/etc/refused,
  permit_sasl_authenticated, check_recipient_access texthash:{folder}/etc/members
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtp_tls_CAfile = {certificate}
smtp_tls_secure_cert_match = {hostname}
smtp_tls_loglevel = 1
"""

_USERS = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {path}
"""

_KINDS = {
    "plain": "-o smtpd_tls_security_level=none",
    "tls": "-o smtpd_tls_security_level=encrypt",
    "old": "-o smtpd_tls_security_level=none"
    " -o smtpd_discard_ehlo_keywords=dsn,smtputf8,8bitmime,pipelining,chunking,size,enhancedstatuscodes",
    "users": "-o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes -o smtpd_sasl_auth_enable=yes"
    " -o smtpd_client_restrictions=permit_sasl_authenticated,reject",
}
"""What ports of one Postfix offer, and ask for."""


@cache
def postfix() -> Daemon:
    """Postfix, and nothing else."""
    return _postfix()


@cache
def postfix_with_users() -> Daemon:
    """Postfix, and Dovecot's SASL."""
    return _postfix(_USERS.format(path=dovecot().folder / "auth"))


@cache
def postfix_with_xclient() -> Daemon:
    """Postfix, which takes XCLIENT from this machine."""
    return _postfix(f"smtpd_authorized_xclient_hosts = {HOST}\n")


@cache
def postfix_of_kinds() -> tuple[Daemon, dict[str, int]]:
    """Postfix with ports that differ: ``plain`` offers no TLS, ``tls`` takes nothing without it, ``old`` has
    hardly any extension, and ``users`` takes mail only after TLS and AUTH.
    """
    ports = {name: unused_port() for name in _KINDS}
    services = [f"{HOST}:{ports[name]} inet n - n - - smtpd {options}" for name, options in _KINDS.items()]
    users = f"smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {dovecot().folder / 'auth'}\n"
    return _postfix(users, services=services), ports


def postfix_on(address: str, port: int, next_address: str, more: str = "") -> Daemon:
    """Postfix on an address and a port; it takes all mail on to the same port of another address.

    :param more: lines of its configuration.
    """
    return _postfix(f"default_transport = smtp:[{next_address}]:{port}\n{more}", address, port)


def postfix_with_chain(pem: str, key: str, port: int) -> Daemon:
    """Postfix on a port, with a certificate and those of its authorities (in the file after it).

    It brings all mail to the sink, in plaintext.
    """
    more = f"smtpd_tls_cert_file = {pem}\nsmtpd_tls_key_file = {key}\n"
    return _postfix(more + f"default_transport = smtp:[{HOST}]:{free_port()}\n", port=port)


def _postfix(more: str = "", address: str = HOST, port: int = 0, services: Sequence[str] = ()) -> Daemon:
    need("postfix", "postfix")
    need_root()
    folder, port = new_folder(), port or unused_port()
    pem, key = certificate()
    settings = {"folder": folder, "certificate": pem, "key": key, "hostname": HOSTNAME}
    sink = f"[{HOST}]:{free_port()}"
    command = write_postfix(
        folder,
        main=_MAIN.format(**settings) + more,
        services=_SERVICES.format(place=f"{address}:{port}") + "\n".join([*services, ""]),
        transport=f"plain.test smtp:{sink}\n.plain.test smtp:{sink}\ntls.test tls:{sink}\n"
        f"lmtp.test lmtp:inet:{sink}\nunix.test lmtp:unix:{folder}/lmtp\n",
    )
    (folder / "etc/refused").write_text("no@plain.test REJECT\n")
    (folder / "etc/members").write_text("members@plain.test REJECT\n")
    return Daemon(
        folder,
        port,
        folder / "log",
        [*command, "start-fg"],
        stop_command=[*command, "abort"],
        address=address,
    )
