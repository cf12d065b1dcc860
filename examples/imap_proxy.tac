# An IMAP proxy: two accounts on two servers as one, the first one for POP3, too: twistd -ny imap_proxy.tac
import os

from twisted.application import service
from twisted.internet import reactor

from mailproto.auth import Password, password_portal
from mailproto.backends.remote import JoinedAccount, RemoteAccount
from mailproto.client import ServerAddress
from mailproto.imap import IMAPClient, IMAPServerFactory
from mailproto.listening import Listener
from mailproto.pop3 import POP3ServerFactory


def account(variable):  # such as "bob@example.org secret imap.example.org 993"
    name, password, host, port = os.environ[variable].split()
    plain, login = "MAILPROTO_PLAIN" in os.environ, Password(name, password)
    server = ServerAddress(host, int(port), tls="none" if plain else "implicit", credentials=login)
    return RemoteAccount(name, reactor, lambda: IMAPClient.open(reactor, server))


work, both = account("MAILPROTO_WORK"), {"Home": account("MAILPROTO_HOME")}
users = {"me": os.environ["MAILPROTO_PASSWORD"]}
imap = IMAPServerFactory(password_portal(users, account=lambda name: JoinedAccount(name, work, both)))
pop3 = POP3ServerFactory(password_portal(users, account=lambda name: work))
application = service.Application("IMAP proxy")
Listener(os.environ.get("MAILPROTO_IMAP", "tcp:8143:interface=127.0.0.1"), imap).setServiceParent(application)
Listener(os.environ.get("MAILPROTO_POP3", "tcp:8110:interface=127.0.0.1"), pop3).setServiceParent(application)
