"""How a rule says that it is broken."""

__all__ = ["Broken"]


class Broken(AssertionError):
    """The replica breaks the rule; the text says how."""
