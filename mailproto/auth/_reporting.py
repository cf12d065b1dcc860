"""Tells the observer of a session about its sign-ins."""

from __future__ import annotations

from mailproto.errors import MailError
from mailproto.maillog import observer_of
from mailproto.observing import SignInRefused, client_of

__all__ = ["sign_in_refused"]


def sign_in_refused(session: object, mechanism: str, name: str | bytes, error: MailError) -> None:
    """Tell the observer that a client failed to sign in.

    :param session: its ``observer`` is told; the mail log alone if it has none.
    :param mechanism: the SASL mechanism or command.
    :param name: the name as the client gave it.
    """
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    observer_of(session).sign_in_refused(SignInRefused(client_of(session), mechanism, text, error))
