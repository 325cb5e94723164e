"""The contract of a matcher."""

from typing import Protocol

from ..preface import Preface
from ..verdict import Verdict

__all__ = ["Matcher"]


class Matcher(Protocol):
    """One condition. Matchers are values: equal when they ask the same, and without any memory of what they were shown."""

    @property
    def http(self) -> bool:
        """It speaks of HTTP requests, so a route with it is for these only."""

    @property
    def delays(self) -> tuple[float, ...]:
        """Seconds of silence after which it is to be asked again; in most cases none."""

    def match(self, preface: Preface) -> Verdict:
        """Asked again for every new piece, until it says yes or no. It never says "need more" where `preface.more` does not.

        Raises:
            BadTarget: the request names no path, or no host, that one could go by; the answer is 400.
        """

    def saw(self, preface: Preface) -> str:
        """What it looked at, for people: `host is b.example.org`. Asked after it has said no."""

    def __str__(self) -> str:
        """The condition, as in the configuration."""
