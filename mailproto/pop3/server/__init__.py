"""The POP3 server; its public names are in `mailproto.pop3`."""
