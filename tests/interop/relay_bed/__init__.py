"""A test bed of the relay: private hosts on loopback addresses, each with a fault of its own.

The server under test is a real ``twistd mailproto``, which is killed at random instants and started again.
Every recipient of each message that it has accepted must get the message once, or its sender one report.  If
the reply to a whole message was lost, it may arrive once more; nothing else is allowed.

``tests.interop.test_relay_bed`` runs a short form.  The long one is the same program with other numbers, and
prints what it found::

    python -m tests.interop.relay_bed --messages 100000 --domains 1000 --kills 100

- `hosts`: the servers of others, and what arrives there.
- `network`: which addresses, and what the DNS says.
- `sending`: sessions that submit messages.
- `judging`: whether what happened is what may happen.
- `bed`: all of it together.
"""
