"""Does a request say which host it means, as it must (RFC 9112 section 3.2)?

One `Host` field, with one sound value; only HTTP/1.0 may have none. Without this a request could mean one host to the router
and another to the service. It is asked of every request, so it looks at all fields at once instead of one by one.
"""

import re

from svckit.hosts import HOST

from .head import Head

__all__ = ["names_its_host"]

_NAME, _FIELD = b"host:", b"\nhost:"
_sound = re.compile(_NAME + rb"[\t ]*+" + HOST + rb"[\t ]*+\r\n").match


def names_its_host(head: Head) -> bool:
    """Whether it may be answered; the answer is otherwise `BAD_HOST`."""
    fields = head.fields.lower()
    further = fields.count(_FIELD)
    if fields.startswith(_NAME):  # as nearly all clients have it
        return not further and _sound(fields) is not None
    if further == 1:
        return _sound(fields, fields.index(_FIELD) + 1) is not None
    return not (further or head.minor)
