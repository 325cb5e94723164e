"""The three ways to put a connection through: in-process, handoff, tcp. One contract (`portico.service.Target`)."""
