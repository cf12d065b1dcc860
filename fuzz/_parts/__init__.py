"""What the programs in ``fuzz/`` share.  Nothing here is a program."""
