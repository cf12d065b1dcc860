# An SMTP proxy: asks the next hop at each step, and passes its replies on: twistd -ny smtp_proxy.tac
import os
from twisted.application import service
from twisted.internet import reactor
from mailproto.client import ServerAddress
from mailproto.delivery import DeliverySession, PerSession
from mailproto.listening import Listener
from mailproto.smtp import SMTPClient, SMTPServerFactory

HOST, PORT = os.environ.get("MAILPROTO_NEXT_HOP", "localhost:25").rsplit(":", 1)
NEXT_HOP = ServerAddress(HOST, int(PORT), tls="opportunistic")


class Proxy(DeliverySession):
    hop = None  # this client's own connection to the next hop

    async def sender(self, session, path, parameters):
        if self.hop is None or not self.hop.is_usable:
            self.hop = await SMTPClient.open(reactor, NEXT_HOP)
        await self.hop.mail(path, parameters)

    async def recipient(self, session, path, parameters):
        await self.hop.rcpt(path, parameters)

    async def deliver(self, envelope, content):
        return await self.hop.data(content)

    async def reset(self):
        if self.hop is not None and self.hop.is_usable:
            await self.hop.rset()

    async def end(self):
        if self.hop is not None:
            await self.hop.quit()


application = service.Application("SMTP proxy")
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, SMTPServerFactory(PerSession(Proxy))).setServiceParent(application)
