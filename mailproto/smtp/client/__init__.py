"""SMTP and LMTP clients; their public names are in `mailproto.smtp`.

`send_mail` is one call for applications, `SMTPSender` for those that send a lot, and
`SMTPClient` the protocol under both.
"""
