"""Giving each recipient to the delivery that is for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeAlias, cast

from zope.interface import implementer

from mailproto._arguments import check_call, check_type, wrong_type
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_contract, provided
from mailproto.awaiting import Result, settle
from mailproto.content import Content
from mailproto.delivery._base import DELIVERED
from mailproto.delivery._sessions import DeliverySession
from mailproto.domains import DomainTable
from mailproto.errors import MailError, RelayDenied, Unavailable
from mailproto.interfaces import (
    IDelivery,
    IDeliverySession,
    IDeliverySessions,
    IOwnership,
    IServiceExtensions,
)
from mailproto.model import (
    NO_SERVICE_EXTENSIONS,
    Address,
    Envelope,
    Outcome,
    Parameters,
    ServiceExtensions,
    Session,
)

__all__ = ["RouterDelivery"]

_log = PackageLogger()

Route: TypeAlias = "IDelivery | IDeliverySessions"
Routes: TypeAlias = "Mapping[str, Route] | Callable[[Session, Address], Result[Route]]"


@implementer(IDeliverySessions, IServiceExtensions, IOwnership)
class RouterDelivery:
    """Gives each recipient to the delivery for its domain, or to the one that a function names::

        RouterDelivery({"example.org": MailboxDelivery(store, ["example.org"]),
                        "*.example.net": SMTPDelivery("mail.example.net")})

    Each of them sees a transaction of its own, with its recipients only; its `IDelivery.sender` is asked with
    the first of these, and may refuse them.  A message with recipients in several may be accepted by one and
    refused by another: the client of an SMTP server gets 250 if anybody got the message, and the log warns
    of each recipient who did not.

    :param routes: deliveries by domain, in any spelling; ``*.example.net`` is for all domains below it, and
        a longer name goes before a shorter one.  Or a function of the session and the forward-path that
        returns a delivery, or raises to refuse the recipient.
    :param default: for all other domains; by default they are refused (550 5.7.1).
    :param service_extensions: what clients are offered; by default, what all of the mapping's deliveries
        honour.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: there is no route, or a domain is not valid.
    """

    def __init__(
        self,
        routes: Routes,
        default: Route | None = None,
        *,
        service_extensions: ServiceExtensions | None = None,
    ) -> None:
        deliveries: list[Route] = [] if default is None else [default]
        self._table: DomainTable[Route | None] = DomainTable("", {})
        self._function: Callable[[Session, Address], Result[Route]] | None = None
        if isinstance(routes, Mapping):
            self._table = DomainTable("each domain of routes", routes)
            deliveries += routes.values()
            if not deliveries:
                raise ValueError("routes must have at least one domain, or default must be given")
        else:
            check_call(
                "routes", routes, "a mapping from domains, or a function of a Session and an Address", 2
            )
            self._function = routes
        for delivery in deliveries:
            _check_route(delivery)
        self._default = default
        if service_extensions is not None:
            check_type("service_extensions", service_extensions, ServiceExtensions, "a ServiceExtensions")
        elif self._function is None:
            service_extensions = reduce(_both, map(_extensions_of, deliveries))
        self.service_extensions = service_extensions or NO_SERVICE_EXTENSIONS

    async def begin(self, session: Session) -> DeliverySession:
        """See `IDeliverySessions.begin`."""
        return _Routing(session, self)

    async def route(self, session: Session, path: Address) -> Route:
        """The delivery for a recipient.

        :raises MailError: there is none.
        """
        if self._function is not None:
            named: Route = await settle(self._function(session, path))
            _check_route(named)
            return named
        found = self._table.find(path.domain, self._default) if path.domain else self._default
        if found is None:
            raise RelayDenied
        return found

    async def owns(self, account: str, path: Address) -> bool:
        """See `IOwnership.owns`: as the delivery for the address says; without its word, one's own name."""
        session = Session("ESMTP", "", account=account)
        try:
            owner = provided(IOwnership, await self.route(session, path))
        except MailError:
            return False
        return str(path) == account if owner is None else await settle(owner.owns(account, path))


class _Routing(DeliverySession):
    """One client, and the transactions of the deliveries that its recipients have."""

    def __init__(self, session: Session, router: RouterDelivery) -> None:
        super().__init__(session)
        self._router = router
        self._begun: dict[int, tuple[Route, IDelivery]] = {}  # by the route's id
        self._path, self._parameters = Address("", ""), cast(Parameters, {})
        self._asked: dict[int, IDelivery] = {}  # those whose transaction has begun
        self._chosen: dict[Address, int] = {}

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        """Keep it, because its recipients decide who is asked."""
        self._forget()
        self._path, self._parameters = path, parameters

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        route = await self._router.route(session, path)
        delivery = await self._delivery(session, route)
        if id(route) not in self._asked:
            await settle(delivery.sender(session, self._path, self._parameters))
            self._asked[id(route)] = delivery
        await settle(delivery.recipient(session, path, parameters))
        self._chosen[path] = id(route)

    async def deliver(self, envelope: Envelope, content: Content) -> list[Outcome]:
        outcomes: list[Outcome] = [DELIVERED] * len(envelope.recipients)
        numbers: dict[int, list[int]] = {}
        for number, recipient in enumerate(envelope.recipients):
            numbers.setdefault(self._chosen[recipient.address], []).append(number)
        asked = self._asked
        self._forget()
        for key, delivery in asked.items():
            if key not in numbers:  # it refused all recipients
                await _reset(delivery)
        for key, chosen in numbers.items():
            part = Envelope(
                envelope.id,
                envelope.sender,
                tuple(envelope.recipients[number] for number in chosen),
                envelope.session,
                envelope.parameters,
            )
            try:
                answers = await settle(asked[key].deliver(part, content)) or [DELIVERED] * len(chosen)
            except Exception as error:
                if len(numbers) == 1:
                    raise
                answers = [_failure(error)] * len(chosen)  # the others may have got the message
            for number, answer in zip(chosen, answers, strict=True):
                outcomes[number] = answer
        return outcomes

    async def reset(self) -> None:
        asked = self._asked
        self._forget()
        for delivery in asked.values():
            await _reset(delivery)

    async def end(self) -> None:
        begun, self._begun = self._begun, {}
        for _, delivery in begun.values():
            session = provided(IDeliverySession, delivery)
            if session is not None:
                await settle(session.end())

    def _forget(self) -> None:
        self._asked, self._chosen = {}, {}

    async def _delivery(self, session: Session, route: Route) -> IDelivery:
        """What is asked instead of a route: of `IDeliverySessions`, the session of this client."""
        known = self._begun.get(id(route))
        if known is not None:
            return known[1]
        sessions = provided(IDeliverySessions, route)
        delivery = cast(IDelivery, route) if sessions is None else await settle(sessions.begin(session))
        self._begun[id(route)] = route, delivery  # the route is kept, so that its id stays its own
        return delivery


async def _reset(delivery: IDelivery) -> None:
    session = provided(IDeliverySession, delivery)
    if session is not None:
        await settle(session.reset())


def _failure(error: Exception) -> Outcome:
    if not isinstance(error, MailError):
        _log.failure("error in one of several deliveries")
        error = Unavailable(detail=f"{type(error).__name__}: see the traceback in the log")
    return Outcome(error.code, error.enhanced, error.text, error.detail)


def _check_route(delivery: Any) -> None:
    """:raises TypeError: it is no delivery."""
    takes = "an IDelivery or an IDeliverySessions"
    if isinstance(delivery, type):
        raise wrong_type("each delivery of routes", delivery, takes, f"write {delivery.__name__}()")
    sessions = provided(IDeliverySessions, delivery) is not None
    check_contract("each delivery of routes", delivery, IDeliverySessions if sessions else IDelivery)


def _extensions_of(delivery: Route) -> ServiceExtensions:
    extended = provided(IServiceExtensions, delivery)
    return NO_SERVICE_EXTENSIONS if extended is None else extended.service_extensions


def _both(one: ServiceExtensions, other: ServiceExtensions) -> ServiceExtensions:
    """What both honour."""

    def common(name: str, choose: Callable[[Any, Any], Any]) -> Any:
        values = getattr(one, name), getattr(other, name)
        return None if None in values else choose(*values)

    return ServiceExtensions(
        binary_mime=one.binary_mime and other.binary_mime,
        dsn=one.dsn and other.dsn,
        require_tls=one.require_tls and other.require_tls,
        deliver_by=common("deliver_by", max),
        mt_priority=common("mt_priority", lambda a, b: a if a == b else ""),
        future_release=common("future_release", min),
        smtputf8=one.smtputf8 and other.smtputf8,
    )
