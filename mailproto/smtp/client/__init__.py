"""SMTP and LMTP clients; their public names are in `mailproto.smtp` and its modules."""
