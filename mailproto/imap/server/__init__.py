"""The IMAP server, one file for each family of commands; its public names are in `mailproto.imap`."""
