"""The prefix router: hears the first bytes of a connection, puts it through to the service that owns it, and leaves."""
