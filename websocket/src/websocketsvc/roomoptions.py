"""The options of rooms, as their mount has them."""

from typing import Annotated

from msgspec import Meta, Struct

from .options import Count, Seconds

__all__ = ["RoomOptions"]


class RoomOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """What a room may cost."""

    history: Annotated[int, Meta(ge=1, le=100_000)] = 200
    """Messages that are kept for those who come, or come back."""
    history_bytes: Count = 1 << 18
    """Bytes of them; not more than half of the mount's `max_unsent`, as they are told at once."""
    keep: Seconds = 86_400.0
    """Seconds for which the messages of a room are kept when nothing is said there."""
    max_rooms: Count = 10_000
    """Rooms whose messages are kept; for one more a client is closed with 1013."""
    max_members: Count = 500
    """Members of a room; one more is closed with 1013."""
    rate: Seconds = 50.0
    """Messages each second of one member, in the long run; what is more is answered with the error `too-fast`."""
    burst: Count = 100
    """Messages at once."""
    join_time: Seconds = 10.0
    """Seconds for a client to say `join`; then 1008."""
    take_time: Seconds = 5.0
    """Seconds for another replica to let go of a room; then 1013."""
