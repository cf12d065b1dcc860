"""POP3 clients; `mailproto.pop3` has what is public."""
