"""A session of the link to a Redis, without a Redis: how it ends."""

import asyncio
from typing import Any

import pytest
from websocketsvc.redissession import Session


class Deaf(Session):
    """Its feed is silent, and its other tasks lose the first cancellation, as they may where an answer comes with it."""

    async def _read(self) -> None:
        await asyncio.sleep(0)
        raise TimeoutError("the feed is silent")

    async def _work(self) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    _live = _work


def test_it_ends_though_a_cancellation_was_lost() -> None:
    async def run() -> None:
        jobs: asyncio.Queue[Any] = asyncio.Queue()
        session = Deaf("redis://127.0.0.1:1/0", "n", "r", jobs, lambda _: None, lambda *_: None)
        await asyncio.wait_for(session.run(), 10)

    with pytest.raises(TimeoutError, match="the feed is silent"):
        asyncio.run(run())
