"""The IMAP server, one file a command family; its public names are in `mailproto.imap`."""
