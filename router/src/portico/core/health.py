"""Whether one replica is up, as its last checks say.

A new one is neither up nor down until its first check has ended, which alone decides: a replica has its name before it can
serve, and whoever can serve should not have to wait. After that a single check changes nothing.
"""

__all__ = ["CHECKING", "DOWN", "UP", "Health"]

CHECKING, UP, DOWN = "checking", "up", "down"


class Health:
    """One replica's."""

    __slots__ = ("_fall", "_rise", "_row", "state")

    def __init__(self, rise: int, fall: int) -> None:
        """`fall` failures in a row take it down, `rise` passes in a row bring it up again."""
        self._rise, self._fall = rise, fall
        self._row = 0  # checks in a row that speak against the state
        self.state = CHECKING

    @property
    def up(self) -> bool:
        """Whether it is to get new connections."""
        return self.state == UP

    def passed(self) -> bool:
        """A check was passed; whether that brings it up."""
        return self._heard(UP, self._rise)

    def failed(self) -> bool:
        """A check was failed; whether that takes it down."""
        return self._heard(DOWN, self._fall)

    def _heard(self, state: str, needed: int) -> bool:
        if self.state == state:
            self._row = 0
            return False
        self._row += 1
        if self.state != CHECKING and self._row < needed:
            return False
        self.state, self._row = state, 0
        return True
