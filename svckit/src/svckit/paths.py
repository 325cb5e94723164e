"""The one normalisation of request targets, shared by the router's routes and the services' prefix guard.

Two programs that disagree on what a path means are a hole: a request routed as `/uploads/x` and read as `/static/x` has
passed the wrong rules. So both sides call `normalise` and look at nothing else.

What it does, in this order (RFC 3986 section 6.2.2, RFC 9112 section 3.2):

1. The query is cut off. Of an absolute-form target (`http://host/path`) only the path stays; `*` stays `*`; an
   authority-form target (`host:port`, CONNECT) is refused.
2. Percent-encoding is undone, except for `%2F` and `%25`: an encoded slash is data inside a segment, never a separator.
3. Doubled slashes count as one.
4. Dot segments are resolved, also encoded ones; a path that climbs above the root is refused.

A trailing slash is kept. Bad percent-encoding and NUL are refused.
"""

import re

__all__ = ["BadTarget", "normalise"]


class BadTarget(ValueError):
    """The request target has no meaning; the answer is 400."""


_PLAIN = re.compile(rb"/(?:[^%/.?#\x00][^%/?#\x00]*(?:/[^%/.?#\x00][^%/?#\x00]*)*/?)?\Z").match
_ENCODED = re.compile(rb"%(..?)?", re.DOTALL)
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+").match


def normalise(target: bytes) -> bytes:
    """The path that `target` (of a request line) names, in its one normal form.

    Raises:
        BadTarget: it names no path.
    """
    path = target.partition(b"?")[0]
    if _PLAIN(path):  # nearly every request: nothing to undo
        return path
    if path == b"*":
        return path
    if not path.startswith(b"/"):
        absolute = _ABSOLUTE(path)
        if absolute is None:
            raise BadTarget("neither a path nor an absolute URI")
        path = path[absolute.end() :] or b"/"
    if b"#" in path:
        raise BadTarget("a fragment is never sent")
    return _resolve(_ENCODED.sub(_decode, path) if b"%" in path else path)


def _decode(encoded: re.Match[bytes]) -> bytes:
    digits = encoded[1] or b""
    try:
        byte = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        byte = b""
    if len(byte) != 1:
        raise BadTarget("bad percent-encoding")
    return encoded[0].upper() if byte in b"/%" else byte


def _resolve(path: bytes) -> bytes:
    if b"\0" in path:
        raise BadTarget("NUL in the path")
    segments: list[bytes] = []
    last = b""
    for last in path.split(b"/"):
        if last == b"..":
            if not segments:
                raise BadTarget("the path climbs above the root")
            segments.pop()
        elif last not in (b"", b"."):
            segments.append(last)
    if not segments:
        return b"/"
    end = b"/" if last in (b"", b".", b"..") else b""
    return b"/" + b"/".join(segments) + end
