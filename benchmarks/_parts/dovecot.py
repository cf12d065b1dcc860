"""Dovecot, with a configuration, accounts and mail of its own, to compare with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from _parts.fairness_mail import PASSWORD, own
from _parts.processes import Server, free_port, running
from _parts.program import needed_tool

__all__ = ["dovecot", "started", "why_not"]

_USER = "mail"

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {folder}/log
listen = 127.0.0.1
protocols = {protocols}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_username_format = %Ln
mail_location = {location}
mail_uid = {user}
mail_gid = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 0
default_process_limit = 4000
default_client_limit = 8000
default_vsz_limit = 2G
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
"""

_KEPT_PROCESSES = """
service imap-login {
  service_count = 0
  process_min_avail = 2
}
service imap {
  service_count = 256
}
"""

_POP3 = """
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""

_LMTP = """
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""


def why_not(folder: Path) -> str:
    """Why Dovecot cannot be run with mail in ``folder``; "" if it can."""
    import os
    import shutil

    if (
        shutil.which("dovecot", path="/usr/sbin:/usr/bin") is None
        or not Path("/usr/lib/dovecot/imap").exists()
    ):
        return (
            "needs the packages dovecot-imapd and dovecot-pop3d (apt-get install dovecot-imapd dovecot-pop3d)"
        )
    if os.getuid() != 0:
        return "needs root"
    if any(not parent.stat().st_mode & 1 for parent in folder.resolve().parents):
        return f"needs a folder that other users may enter, not {folder.parent}"
    return ""


@contextmanager
def dovecot(folder: Path, names: Sequence[str]) -> Iterator[dict[str, int]]:
    """Run it for the accounts ``names``, whose mail is in ``folder/mail/NAME/Maildir``.

    :returns: its ports, by protocol.
    """
    from mailproto.auth import hash_password

    # The same hash as ours, so that a password costs as much.
    hashed = re.findall(r"\$argon2id\$[^ ]+", hash_password(PASSWORD))[0]
    with started(folder, names, f"{{ARGON2ID}}{hashed}") as (_, ports):
        yield ports


@contextmanager
def started(
    folder: Path, names: Sequence[str], password: str, *, form: str = "Maildir", tuned: bool = False
) -> Iterator[tuple[Server, dict[str, int]]]:
    """As `dovecot`, with another way to keep mail, or set for many logins; also the server itself.

    :param password: of all accounts, as it is written in Dovecot's file of passwords.
    :param form: ``Maildir``, ``sdbox`` or ``mdbox``.
    :param tuned: whether its processes are used for more than one client.
    """
    from mailproto.tls import ensure_self_signed

    folder.chmod(0o755)
    own(folder / "mail", _USER)
    users = "".join(f"{name}:{password}::::{folder}/mail/{name}::\n" for name in names)
    (folder / "users").write_text(users)
    certificate, key = ensure_self_signed(folder, "localhost")
    protocols = [name for name in ("imap", "pop3", "lmtp") if Path("/usr/lib/dovecot", name).exists()]
    ports = {name: free_port() for name in (*protocols, "imaps")}
    config = _CONFIG + ("" if "pop3" not in ports else _POP3) + ("" if "lmtp" not in ports else _LMTP)
    values = {"folder": folder, "certificate": certificate, "key": key, "user": _USER}
    values["location"] = f"{form.lower()}:~/{form}"
    text = config.format(**values, **ports, protocols=" ".join(protocols))
    (folder / "config").write_text(text + (_KEPT_PROCESSES if tuned else ""))
    command = [needed_tool("dovecot", "dovecot-imapd"), "-F", "-c", str(folder / "config")]
    with running("Dovecot", command, ports["imap"]) as server:
        yield server, ports
