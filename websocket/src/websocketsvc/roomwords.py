"""What is said in rooms, as JSON: docs/websocket.md has the schema."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "DEEPEST", "Join", "Publish", "Word", "acknowledged", "body", "error", "joined", "key_of", "member_of", "message",
    "numbered", "presence", "read",
]  # fmt: skip

DEEPEST = 64
"""Lists and objects within each other in `data`. The reader of JSON gives up at a depth that depends on who calls it, so what
was taken in without a bound might not be read again from the disk, and the room with it."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Secret = Annotated[str, Meta(min_length=8, max_length=64)]


class Join(Struct, tag="join", forbid_unknown_fields=True, frozen=True):
    """A client's first word."""

    name: Name = "guest"
    client: Secret | None = None
    since: Annotated[int, Meta(ge=0)] | None = None
    epoch: Name | None = None


class Publish(Struct, tag="publish", forbid_unknown_fields=True, frozen=True):
    """Something for all."""

    id: Name
    data: Any


Word = Join | Publish

_decoder: msgspec.json.Decoder[Word] = msgspec.json.Decoder(Word)
_encode = msgspec.json.Encoder().encode


def read(text: bytes) -> Word | str:
    """A client's word, or what is wrong with it."""
    try:
        word = _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        return str(problem)
    if text.count(b"[") + text.count(b"{") > DEEPEST and isinstance(word, Publish) and _is_too_deep(word.data):
        return f"`data` may be nested {DEEPEST} deep"
    return word


def _is_too_deep(data: Any) -> bool:
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for each in chain.from_iterable(inner) if isinstance(each, dict | list)]
        if not level:
            return False
    return bool(level)


def member_of(epoch: str, secret: str) -> str:
    """A client's name in a room; it does not tell the secret."""
    return blake2b(f"{epoch} {secret}".encode(), digest_size=6).hexdigest()


def key_of(secret: str, name: str) -> str:
    """By which a message is known again that a client says twice."""
    return blake2b(f"{secret} {name}".encode(), digest_size=12).hexdigest()


def message(seq: int, member: dict[str, str], at: float, data: Any) -> bytes:
    """
    Raises:
        ValueError: the data cannot be JSON after all.
    """
    return numbered(seq, body(member, at, data))


def numbered(seq: int, said: bytes) -> bytes:
    """A message, of its number and its `body`."""
    return b'{"type":"message","seq":%d,%b' % (seq, said[1:])


def body(member: dict[str, str], at: float, data: Any) -> bytes:
    """What a message is before it has its number.

    Raises:
        ValueError: the data cannot be JSON after all.
    """
    try:
        return _encode({**member, "time": round(at, 3), "data": data})
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as problem:
        raise ValueError(str(problem)) from None


def joined(room: str, epoch: str, member: str, seq: int, missed: int, members: Sequence[dict[str, str]]) -> bytes:
    """The answer to `Join`."""
    return _encode(
        {
            "type": "joined",
            "room": room,
            "epoch": epoch,
            "member": member,
            "seq": seq,
            "missed": missed,
            "count": len(members),
            "members": members,
        }
    )


def acknowledged(name: str, seq: int) -> bytes:
    """The answer to `Publish`."""
    return _encode({"type": "ack", "id": name, "seq": seq})


def presence(event: str, member: dict[str, str], count: int) -> bytes:
    """Somebody has `joined` or `left`."""
    return _encode({"type": "presence", "event": event, **member, "count": count})


def error(code: str, text: str, name: str | None = None) -> bytes:
    """What was not done, and why."""
    return _encode({"type": "error", "code": code, "text": text, **({} if name is None else {"id": name})})
