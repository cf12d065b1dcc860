"""Checks what a portal and its realm give, so that a mistake in them is named in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.cred.portal import Portal
from zope.interface import Interface
from zope.interface.interface import InterfaceClass

from mailproto._arguments import wrong_type, wrong_value
from mailproto.interfaces import IAccount, IIdentity, IStore

__all__ = ["ACCOUNT", "IDENTITY", "RealmFault", "checked_avatar", "checked_portal"]

ACCOUNT = cast(type[Interface], IAccount)
"""`IAccount`, of the type that ``twisted.cred`` declares for what a realm gives."""

IDENTITY = cast(type[Interface], IIdentity)
"""`IIdentity`, likewise."""


class RealmFault(Exception):
    """A realm gave something that no server can use; the text names the realm, and says what to do."""


def checked_avatar(
    realm: object, result: object, wanted: InterfaceClass
) -> tuple[str, object, Callable[[], None]]:
    """(The account's name, the avatar, the function that signs out).

    :param result: what ``realm.requestAvatar`` gave.
    :param wanted: `IAccount` if the server needs one; otherwise the avatar only needs a name.
    :raises RealmFault:
    """
    if not (isinstance(result, tuple) and len(result) == 3 and callable(result[2])):
        raise _fault(realm, f"gave {_kind(result)}", "return (IAccount, account, logout)")
    _, avatar, logout = result
    try:
        if wanted is IAccount and not IAccount.providedBy(avatar):
            advice = "mark its class with @implementer(IAccount), and write the methods that it lists"
            raise _fault(realm, f"gave {_kind(avatar)}, which does not provide IAccount", advice)
        name = getattr(avatar, "name", None)
        if not isinstance(name, str) or not name:
            what = "no name" if name is None else f"{_kind(name)} as its name"
            advice = "set its attribute name to a str that is not empty (an avatar id is bytes: decode it)"
            raise _fault(realm, f"gave {_kind(avatar)}, which has {what}", advice)
    except RealmFault:
        logout()
        raise
    return name, avatar, logout


def checked_portal(portal: Any, *, accounts: str = "") -> Portal:
    """``portal``, if it can be one.

    :param accounts: the server's protocol, if it needs an `IAccount` for each login.
    :raises TypeError: it is not a portal.
    :raises ValueError: it has no checkers; or its realm gives no accounts, but the server needs them.
    """
    if isinstance(portal, type) or not (
        callable(getattr(portal, "login", None))
        and hasattr(portal, "checkers")
        and callable(getattr(getattr(portal, "realm", None), "requestAvatar", None))
    ):
        raise wrong_type("portal", portal, "a twisted.cred.portal.Portal", _how_to_make_a_portal(portal))
    if not portal.checkers:
        hint = "write Portal(realm, [checker]), or call its registerChecker before"
        raise wrong_value("portal", portal, "one with checkers, so that somebody can sign in", hint)
    if accounts and not getattr(portal.realm, "gives_accounts", True):
        takes = f"one that gives an IAccount for each login, which {accounts} needs"
        hint = "write password_portal(check, account=store.account), or another function of a name"
        raise wrong_value("portal", portal, takes, hint)
    checked: Portal = portal
    return checked


def _how_to_make_a_portal(instead: object) -> str:
    """What to write, for a value that a portal could be made of."""
    if IStore.providedBy(instead):
        return "write mailproto.auth.store_portal(store, reactor)"
    if IAccount.providedBy(instead):
        return "write mailproto.auth.password_portal(check, account=lambda name: account)"
    if hasattr(instead, "requestAvatar") or hasattr(instead, "requestAvatarId") or instead is Portal:
        return "write Portal(realm, [checker])"
    return "write mailproto.auth.password_portal(check)"


def _fault(realm: object, what: str, advice: str) -> RealmFault:
    return RealmFault(f"the realm {type(realm).__module__}.{type(realm).__qualname__} {what}: {advice}")


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__qualname__} itself"
    return f"an object of the class {type(value).__qualname__}"
