# An SMTP filter: a proxy that looks at each message, and changes or refuses it: twistd -ny smtp_filter.tac
import os

from twisted.application import service
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailproto.client import ServerAddress
from mailproto.delivery import DeliverySession, PerSession
from mailproto.errors import Refused
from mailproto.listening import Listener
from mailproto.message import Message
from mailproto.smtp import SMTPClient, SMTPServerFactory

HOST, PORT = os.environ.get("MAILPROTO_NEXT_HOP", "localhost:25").rsplit(":", 1)
NEXT_HOP = ServerAddress(HOST, int(PORT), tls="opportunistic")
UNWANTED = (".exe", ".js", ".scr")


def filtered(content):
    """What is passed on instead of a message; raises Refused to refuse it."""
    message = Message(content)
    for file in message.attachments:
        if file.name.lower().endswith(UNWANTED):
            raise Refused(554, "5.7.1", "No programs, please", detail=file.name)
    is_spam = "lottery" in message.subject.lower()
    return content.prepend(b"X-Spam: yes\r\n") if is_spam else content


class Filter(DeliverySession):
    hop = None  # this client's own connection to the next hop

    async def sender(self, session, path, parameters):
        if self.hop is None or not self.hop.is_usable:
            self.hop = await SMTPClient.open(reactor, NEXT_HOP)
        # SIZE is that of the message before it is changed.
        await self.hop.mail(path, {name: value for name, value in parameters.items() if name != "SIZE"})

    async def recipient(self, session, path, parameters):
        await self.hop.rcpt(path, parameters)

    async def deliver(self, envelope, content):
        try:
            content = await deferToThread(filtered, content)
        except BaseException:  # refused, or cancelled because it took too long
            await self.reset()
            raise
        return await self.hop.data(content)

    async def reset(self):
        if self.hop is not None and self.hop.is_usable:
            await self.hop.rset()

    async def end(self):
        if self.hop is not None:
            await self.hop.quit()


application = service.Application("SMTP filter")
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, SMTPServerFactory(PerSession(Filter))).setServiceParent(application)
