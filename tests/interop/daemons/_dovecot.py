"""Dovecot's servers."""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import time
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

from mailproto.tls import ensure_self_signed
from tests.interop.daemons._daemon import PASSWORD, Daemon, need_root, new_folder
from tests.interop.server import need
from tests.interop.sink import unused_port

__all__ = ["bearer_token", "dovecot", "dovecot_pop3"]

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {folder}/log
listen = 127.0.0.1
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:~/Maildir
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
auth_username_format = %Ln
default_internal_user = dovecot
userdb {{
  driver = passwd-file
  args = {folder}/users
}}
passdb {{
  driver = passwd-file
  args = {folder}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""

_LMTP = """
protocols = lmtp imap
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {folder}/oauth2
}}
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
"""

_POP3 = """
protocols = imap pop3
ssl = yes
ssl_cert = <{folder}/tls-cert.pem
ssl_key = <{folder}/tls-key.pem
auth_mechanisms = plain login cram-md5 apop scram-sha-1 scram-sha-256
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""

_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
"""
_TOKEN_KEY = b"k" * 32


def bearer_token(name: str, *, lifetime: int = 600) -> str:
    """A JSON Web Token (RFC 7519) that Dovecot takes for ``lifetime`` seconds."""
    now = int(time.time())
    claims = {"sub": name, "iat": now - 60, "exp": now + lifetime}
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = b".".join(_base64url(json.dumps(part).encode()) for part in parts)
    return b".".join((signed, _base64url(hmac.digest(_TOKEN_KEY, signed, "sha256")))).decode()


def _base64url(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def _prepared(services: str, *needed: str) -> tuple[Path, int]:
    """A folder with the configuration of servers, and the port of the one that is not IMAP.

    They serve alice and carol.

    :param services: what their configuration has besides `_CONFIG`.
    :param needed: their names.
    """
    need("dovecot", f"dovecot-{needed[0]}d")
    for name in needed:
        if not Path("/usr/lib/dovecot", name).exists():
            raise SkipTest(f"needs another of Dovecot's servers: install the Debian package dovecot-{name}d")
    need_root()
    folder, port, imap_port = new_folder(), unused_port(), unused_port()
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    users = "".join(f"{name}:{{PLAIN}}{PASSWORD}::::{folder}/mail/{name}::\n" for name in ("alice", "carol"))
    (folder / "users").write_text(users)
    (folder / "masters").write_text(f"root:{{PLAIN}}{PASSWORD}\n")
    (folder / "imap_port").write_text(str(imap_port))
    config = (_CONFIG + services).format(folder=folder, port=port, imap_port=imap_port)
    (folder / "config").write_text(config)
    return folder, port


def _daemon(folder: Path, port: int, greeting: bytes = b"220") -> Daemon:
    command: list[str | Path] = ["dovecot", "-F", "-c", folder / "config"]
    return Daemon(folder, port, folder / "log", command, greeting=greeting)


@cache
def dovecot() -> Daemon:
    """Dovecot's LMTP server for alice and carol, whose mail is in ``mail/NAME/Maildir/new``.

    Its IMAP server is at the port in the file ``imap_port``.

    The master user ``root`` may use both accounts, with the same password.

    At its socket ``auth`` Postfix asks who they are.
    """
    folder, port = _prepared(_LMTP, "lmtp", "imap")
    keys = folder / "keys/default/HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
    (folder / "oauth2").write_text(_OAUTH2.format(folder=folder))
    return _daemon(folder, port)


@cache
def dovecot_pop3() -> Daemon:
    """Dovecot's POP3 server for alice and carol, whose mail is in ``mail/NAME/Maildir``.

    It has STLS for ``localhost``; the certificate is ``tls-cert.pem`` in the folder.  The IMAP server, with
    STARTTLS, is at the port in the file ``imap_port``.
    """
    folder, port = _prepared(_POP3, "pop3", "imap")
    ensure_self_signed(folder, "localhost")
    return _daemon(folder, port, b"+OK")
