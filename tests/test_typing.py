"""mypy checks applications, without zope's plugin and with it: what is right passes, what is wrong does not.

The environment without the plugin is as a user has it: mypy-zope's stubs of zope are not there either.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import CHECKOUT

RIGHT = """
from __future__ import annotations

from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from zope.interface import implementer  # type: ignore[import-untyped, unused-ignore]

from mailproto.auth import TokenChecker, store_portal
from mailproto.backends import MemoryStore, SimpleMailbox, SingleStore
from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.delivery import Delivery, DeliverySession, FunctionDelivery, MailboxDelivery, PerSession
from mailproto.imap import IMAPServerFactory
from mailproto.interfaces import IDelivery, IMailbox, IObjectIds, IStore
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPSender, SMTPServerFactory
from mailproto.tls import server_tls


@implementer(IDelivery)
class Own:
    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def deliver(self, envelope: Envelope, message: Content) -> Sequence[Outcome]:
        return [Outcome(250, "2.0.0", "Taken")]


class Based(Delivery):
    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        return []


class Plain(Delivery):
    def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        print(path)

    def deliver(self, envelope: Envelope, content: Content) -> None:
        print(len(content))


class Deferring(Delivery):
    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        await super().recipient(session, path, parameters)

    def deliver(self, envelope: Envelope, content: Content) -> Deferred[Sequence[Outcome]]:
        return succeed([])


class OfOneConnection(DeliverySession):
    def deliver(self, envelope: Envelope, content: Content) -> None:
        print(self.session.peer)

    def reset(self) -> None:
        print("again")


class Tickets(SimpleMailbox):
    writable = False


def passed(envelope: Envelope, content: Content) -> None:
    print(len(content))


def id_of(mailbox: IMailbox) -> str:
    return mailbox.mailbox_id if IObjectIds.providedBy(mailbox) else mailbox.name


store: IStore = MemoryStore()
for delivery in (Own(), Based(), Plain(), Deferring(), FunctionDelivery(passed)):
    SMTPServerFactory(delivery, clock=reactor, hostname="mail.example.org")
SMTPServerFactory(MailboxDelivery(store, ["example.org"]))
SMTPServerFactory(PerSession(OfOneConnection))
SMTPServerFactory(Own(), clock=Clock(), hostname="mail.example.org", tls=server_tls("cert.pem", "key.pem"))
single = SingleStore("support@example.org", "", Tickets())
portal = store_portal(single, reactor)
TokenChecker(lambda token, name: None, Clock())
IMAPServerFactory(portal, clock=reactor, hostname="mail.example.org")
POP3ServerFactory(portal, clock=Clock(), hostname="mail.example.org")
SMTPSender(reactor, ServerAddress("mail.example.org"))
"""

WRONG = """
from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLContext

from twisted.internet import reactor
from zope.interface import implementer  # type: ignore[import-untyped, unused-ignore]

from mailproto.backends import SingleStore
from mailproto.auth import store_portal
from mailproto.client import ServerAddress
from mailproto.content import Content
from mailproto.delivery import Delivery, FunctionDelivery
from mailproto.interfaces import IDelivery, IMailbox
from mailproto.model import Address, Envelope, Outcome, Parameters, Session
from mailproto.smtp import SMTPSender, SMTPServerFactory


@implementer(IDelivery)
class FewerParameters:
    async def sender(self, session: Session, path: Address) -> None: ...  # with the plugin

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def deliver(self, envelope: Envelope, content: Content) -> Sequence[Outcome]:
        return []


@implementer(IDelivery)
class NoDeliver:  # with the plugin
    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None: ...

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None: ...


class WrongResult(Delivery):
    def recipient(self, session: Session, path: Address, parameters: Parameters) -> bool:
        return False

    def deliver(self, envelope: Envelope, content: Content) -> None: ...


class WrongContent(Delivery):
    async def deliver(self, envelope: Envelope, content: str) -> Sequence[Outcome]:  # wrong
        return []


delivery = FunctionDelivery(print)
SMTPServerFactory(FewerParameters(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(NoDeliver(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(WrongResult(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(WrongContent(), clock=reactor, hostname="a")  # wrong
SMTPServerFactory(5, clock=reactor, hostname="a")  # wrong
SMTPServerFactory(None, clock=reactor, hostname="a")  # wrong
SMTPServerFactory(FewerParameters, clock=reactor, hostname="a")  # wrong
SingleStore("a@example.org", "", [b"a message"])  # wrong
store_portal({}, reactor)  # wrong
SMTPServerFactory(delivery, clock="now", hostname="a")  # wrong
SMTPServerFactory(delivery, clock=reactor, hostname="a", tls="cert.pem")  # wrong
SMTPServerFactory(delivery, clock=reactor, hostname="a", tls=SSLContext())  # wrong
SMTPSender(5, ServerAddress("mail.example.org"))  # wrong


def name_of(mailbox: IMailbox) -> int:
    mailbox.uid_validity = 5  # wrong
    return mailbox.name  # wrong
"""

TWISTEDS_OWN = 'incompatible type "[^"]*Factory[^"]*"; expected "IProtocolFactory"'
"""An error in `strports.service` and endpoints without the plugin, with Twisted's factories as well."""


def environment(folder: Path) -> Path:
    """An environment like this one but without mypy-zope; gives its interpreter."""
    venv.create(folder, symlinks=True)
    site_packages = next(folder.glob("lib/python*/site-packages"))
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.match(r"zope-stubs|mypy_zope|mailproto|__editable__|.*\\.pth", each.name):
            (site_packages / each.name).symlink_to(each)
    (site_packages / "mailproto").symlink_to(CHECKOUT / "mailproto")
    return folder / "bin" / "python"


class TypingTestCase(SynchronousTestCase):
    plugin = False

    def setUp(self) -> None:
        for needed in ("mypy", "mypy_zope"):
            if importlib.util.find_spec(needed) is None:
                raise SkipTest(f"needs {needed}: pip install 'mailproto[dev]'")
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "files").mkdir()

    def write(self, name: str, text: str) -> None:
        (self.folder / "files" / f"{name}.py").write_text(text)

    def errors(self, *options: str) -> list[str]:
        """The errors in the files, one a line, without those that are Twisted's own."""
        python = Path(sys.executable) if self.plugin else environment(self.folder / "venv")
        plugins = "plugins = mypy_zope:plugin\n" if self.plugin else ""
        (self.folder / "mypy.ini").write_text(f"[mypy]\n{plugins}cache_dir = {self.folder / 'cache'}\n")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "mypy", "--config-file", str(self.folder / "mypy.ini")),
                *("--python-executable", str(python), "--no-error-summary", "--hide-error-context"),
                *("--strict", *options, str(self.folder / "files")),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.stderr, "")
        lines = [line for line in done.stdout.splitlines() if ": note: " not in line]
        return [line for line in lines if not re.search(TWISTEDS_OWN, line)]

    def assert_wrong_lines_are_found(self, wrong: str) -> None:
        self.write("wrong", WRONG)
        found = {int(line.split(":")[1]) for line in self.errors()}
        expected = {
            number for number, line in enumerate(WRONG.splitlines(), 1) if re.search(f"# ({wrong})$", line)
        }
        self.assertEqual(sorted(found), sorted(expected))


class WithoutPluginTests(TypingTestCase):
    def test_applications_pass(self) -> None:
        """The README's, those of ``tac``, and others; they need no annotations of their own."""
        self.write("right", RIGHT)
        blocks = re.findall(r"^```python\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.M | re.S)
        self.assertGreater(len(blocks), 3)
        for number, block in enumerate(blocks):
            self.write(f"readme_{number}", block)
        for path in [*CHECKOUT.glob("tac/*.tac"), *CHECKOUT.glob("examples/*.*")]:
            self.write(f"{path.parent.name}_{path.stem}_{path.suffix[1:]}", path.read_text())
        allowed = ("--allow-untyped-defs", "--allow-untyped-calls", "--allow-incomplete-defs")
        self.assertEqual(self.errors(*allowed), [])

    def test_typed_applications_pass_strictly(self) -> None:
        self.write("right", RIGHT)
        self.assertEqual(self.errors(), [])

    def test_errors_are_found(self) -> None:
        self.assert_wrong_lines_are_found("wrong")


class WithPluginTests(TypingTestCase):
    plugin = True

    def test_typed_applications_pass_strictly(self) -> None:
        self.write("right", RIGHT)
        self.assertEqual(self.errors(), [])

    def test_errors_are_found(self) -> None:
        self.assert_wrong_lines_are_found("wrong|with the plugin")
