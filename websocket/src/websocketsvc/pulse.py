"""Keep-alive pings: tell a client that is silent from one that is gone, and keep middle boxes from forgetting it."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Pulse"]


class Pulse:
    """Pings after each interval without news, and gives up after one more.

    Whatever arrives counts, not only pongs: the pong of a client that sends a large frame slowly stands behind that frame.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        ping: Callable[[], None],
        give_up: Callable[[], None],
        listening: Callable[[], bool],
    ) -> None:
        """`interval`: seconds, 0 for never. `listening`: whether we read at all; while we do not, silence means nothing.

        A ping goes out all the same then: who does not read learns only by writing that nobody is there any more.
        """
        self._clock, self._interval = clock, interval
        self._ping, self._give_up, self._listening = ping, give_up, listening
        self._call: IDelayedCall | None = None
        self.heard = False
        """Set by the owner when something arrives."""
        self._asked = self._stopped = False

    def start(self) -> None:
        if self._interval and not self._stopped:
            self._call = self._clock.callLater(self._interval, self._tick)

    def stop(self) -> None:
        self._stopped = True
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _tick(self) -> None:
        self._call = None
        if not self._listening():
            self.heard = self._asked = False
            self._ping()
        elif self.heard:
            self.heard = self._asked = False
        elif self._asked:
            self._give_up()
            return
        else:
            self._asked = True
            self._ping()
        self.start()
