"""Dovecot's POP3 and IMAP servers, with TLS."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SkipTest

from mailproto.tls import ensure_self_signed
from tests.interop.daemons._daemon import PASSWORD, Daemon, need_root, new_folder
from tests.interop.server import need
from tests.interop.sink import unused_port

__all__ = ["dovecot_pop3"]

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {folder.name}
log_path = {folder}/log
listen = 127.0.0.1
protocols = imap pop3
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 apop scram-sha-1 scram-sha-256
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
service pop3-login {{
  inet_listener pop3 {{
    port = {port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


@cache
def dovecot_pop3() -> Daemon:
    """It serves alice and carol, whose mail is in ``mail/NAME/Maildir``, with STLS for ``localhost``.

    The certificate is ``tls-cert.pem`` in the folder.  The IMAP server, with STARTTLS, is at the port
    in the file ``imap_port``.
    """
    need("dovecot", "dovecot-pop3d")
    for name in ("pop3", "imap"):
        if not Path("/usr/lib/dovecot", name).exists():
            raise SkipTest(f"needs another of Dovecot's servers: install the Debian package dovecot-{name}d")
    need_root()
    folder, port = new_folder(), unused_port()
    users = "".join(f"{name}:{{PLAIN}}{PASSWORD}::::{folder}/mail/{name}::\n" for name in ("alice", "carol"))
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", "mail", "mail")
    (folder / "users").write_text(users)
    certificate, key = ensure_self_signed(folder, "localhost")
    imap_port = unused_port()
    (folder / "imap_port").write_text(str(imap_port))
    config = _CONFIG.format(folder=folder, port=port, imap_port=imap_port, certificate=certificate, key=key)
    config_file = folder / "config"
    config_file.write_text(config)
    return Daemon(folder, port, folder / "log", ["dovecot", "-F", "-c", config_file], greeting=b"+OK")
