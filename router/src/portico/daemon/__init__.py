"""Portico under twistd: the daemon without containers. `docs/daemon.md` has the order of its start and the arrangements."""
