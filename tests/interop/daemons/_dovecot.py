"""Dovecot."""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import time
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.interop.daemons._daemon import PASSWORD, Daemon, need_root, new_folder
from tests.interop.server import need
from tests.interop.sink import unused_port

__all__ = ["bearer_token", "dovecot"]

_DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {folder}/log
listen = 127.0.0.1
protocols = lmtp imap
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
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
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
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
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
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


@cache
def dovecot() -> Daemon:
    """Dovecot's LMTP server for alice and carol, whose mail is in ``mail/NAME/Maildir/new``.

    Its IMAP server is at the port in the file ``imap_port``.

    The master user ``root`` may use both accounts, with the same password.

    At its socket ``auth`` Postfix asks who they are.
    """
    need("dovecot", "dovecot-lmtpd")
    if not Path("/usr/lib/dovecot/lmtp").exists():
        raise SkipTest("needs Dovecot's LMTP server: install the Debian package dovecot-lmtpd")
    need_root()
    folder, port = new_folder(), unused_port()
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    users = "".join(f"{name}:{{PLAIN}}{PASSWORD}::::{folder}/mail/{name}::\n" for name in ("alice", "carol"))
    (folder / "users").write_text(users)
    (folder / "masters").write_text(f"root:{{PLAIN}}{PASSWORD}\n")
    keys = folder / "keys/default/HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
    (folder / "oauth2").write_text(_OAUTH2.format(folder=folder))
    imap_port = unused_port()
    (folder / "imap_port").write_text(str(imap_port))
    (folder / "config").write_text(_DOVECOT.format(folder=folder, port=port, imap_port=imap_port))
    return Daemon(folder, port, folder / "log", ["dovecot", "-F", "-c", folder / "config"])
