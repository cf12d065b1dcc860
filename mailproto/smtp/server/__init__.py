"""The SMTP, submission and LMTP servers; their public names are in `mailproto.smtp`."""
