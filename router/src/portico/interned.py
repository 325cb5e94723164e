"""Values that many records share: each is held once and known by a small number for as long as somebody uses it."""

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["MOST", "Interned"]

MOST = 65_535
"""Values at a time: their numbers fit into 16 bits."""

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Counts who uses what, so that replicas, routes and addresses which come and go leave nothing behind."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._numbers: dict[T, int] = {}
        self._values: list[tuple[T, int] | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, value: T) -> int | None:
        """Its number, which is used once more; None where there are too many."""
        number = self._numbers.get(value)
        if number is None:
            if len(self._numbers) >= self._most:
                return None
            number = self._number_for(value)
        known = self._values[number]
        assert known is not None
        self._values[number] = known[0], known[1] + 1
        return number

    def _number_for(self, value: T) -> int:
        if self._free:
            number = self._free.pop()
        else:
            number = len(self._values)
            self._values.append(None)
        self._numbers[value] = number
        self._values[number] = value, 0
        return number

    def value(self, number: int) -> T:
        """What has this number."""
        known = self._values[number]
        assert known is not None
        return known[0]

    def give_back(self, number: int) -> None:
        """It is used once less."""
        known = self._values[number]
        assert known is not None
        value, uses = known
        if uses > 1:
            self._values[number] = value, uses - 1
        else:
            del self._numbers[value]
            self._values[number] = None
            self._free.append(number)
