"""The router's decisions, without I/O: bytes in, verdicts and commands out. No Twisted, no sockets, no clock in here."""
