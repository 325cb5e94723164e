"""What cannot be done with users and groups; the text of each is the name."""

__all__ = ["GroupExists", "NoSuchGroup", "NoSuchUser", "UserExists"]


class NoSuchUser(KeyError):
    """Nobody of that name is stored."""


class UserExists(ValueError):
    """Somebody of that name is stored already."""


class NoSuchGroup(KeyError):
    """There is no group of that name."""


class GroupExists(ValueError):
    """There is a group of that name already."""
