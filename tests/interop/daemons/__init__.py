"""Mail servers of others, each with folders of its own and started for the tests alone.

Postfix and Dovecot come as Debian packages.  exim4 and opensmtpd are not to be installed
beside Postfix: they run from the folder into which their packages were unpacked, which
``MAILPROTO_TEST_MTAS`` names (``.ci/run`` makes it; by hand: ``apt-get download
exim4-daemon-light opensmtpd ...``, then ``dpkg -x`` of each).  Both have their paths and users
compiled in, so they get a mount namespace in which these are ours.

All of them relay what they get to the port of `tests.interop.sink`, as the domain says:
``plain.test`` in clear, ``tls.test`` with STARTTLS, ``lmtp.test`` and ``unix.test`` by LMTP.
They refuse ``no@plain.test``, and where there are users, ``members@plain.test`` from others.
The users are alice and carol, with the password `PASSWORD`.
"""

from tests.interop.daemons._cyrus import cyrus
from tests.interop.daemons._daemon import PASSWORD, Daemon, new_folder
from tests.interop.daemons._dovecot import bearer_token, dovecot, dovecot_pop3
from tests.interop.daemons._exim import authority, exim
from tests.interop.daemons._opensmtpd import opensmtpd
from tests.interop.daemons._postfix import (
    postfix,
    postfix_of_kinds,
    postfix_on,
    postfix_with_chain,
    postfix_with_users,
    postfix_with_xclient,
)
from tests.interop.daemons._unbound import plain_zone, signed_zone, unbound

__all__ = [
    "PASSWORD",
    "Daemon",
    "authority",
    "bearer_token",
    "cyrus",
    "dovecot",
    "dovecot_pop3",
    "exim",
    "new_folder",
    "opensmtpd",
    "plain_zone",
    "postfix",
    "postfix_of_kinds",
    "postfix_on",
    "postfix_with_chain",
    "postfix_with_users",
    "postfix_with_xclient",
    "signed_zone",
    "unbound",
]
