"""How people try to climb out of a folder, as the public lists of such payloads have it, and what nobody has tried yet.

The shapes are those of the lists that testers pass around (dotdotpwn, PayloadsAllTheThings, SecLists): steps up in every
encoding that some server has undone once too often, before names that somebody would like to read.
"""

import random
from collections.abc import Iterator

__all__ = ["MARK", "STEPS", "targets"]

MARK = b"what-must-never-be-seen"
"""Stands in each file that no answer may contain."""

STEPS = [
    "../", "..\\", "..%2f", "..%2F", "%2e%2e/", "%2e%2e%2f", "%2E%2E%2F", "%2e./", ".%2e/", "..%5c", "%2e%2e%5c", "..%255c",
    "..%252f", "%252e%252e/", "%252e%252e%252f", "%25252e%25252e%25252f", "..%c0%af", "..%c1%9c", "..%c0%2f", "..%c0%5c",
    "%c0%ae%c0%ae/", "%c0%ae%c0%ae%c0%af", "%c0%2e%c0%2e/", "..%e0%80%af", "..%f0%80%80%af", "..%fc%80%80%80%80%af",
    "%e0%80%ae%e0%80%ae/", "%uff0e%uff0e%u2215", "..%u2215", "..%u2216", "..%uff0f", "..%ef%bc%8f", "%ef%bc%8e%ef%bc%8e/",
    "....//", "....\\/", "....\\\\", ".../", "..../", "..;/", "..;a=b/", "..%3b/", "..%00/", "..%00%2f", "%00../", ".%00./",
    "..%0d/", "..%0a/", "..%09/", "..%20/", "%20../", "..%2f%2f", "..//", "..///", "./../", ".//../", "././../", "a/../../",
    "sub/../../", "sub%2f..%2f..%2f", "%2f..%2f", "//../", "/../", "\\..\\", "%5c..%5c", "..0x2f", "0x2e0x2e0x2f", "..%2e/",
    "...%2f", "..?/", "..%3f/", "..#/", "..%23/", "..%26/", "~/", "%7e/", "..\u2215", "..\u2044", "..\uff0f", "\uff0e\uff0e/",
]  # fmt: skip
_NAMES = [
    "outside.txt", "etc/passwd", "etc%2fpasswd", "etc%5cpasswd", "/etc/passwd", "%2fetc%2fpasswd", "etc/shadow",
    "proc/self/environ",
    "proc/self/cmdline", "proc/self/fd/0", "dev/zero", "dev/stdin", "portico.toml", "state/", ".env", "private/secret.txt",
    "root/.env", "root/private/secret.txt", "rootless/outside.txt", "windows/win.ini", "sub/.git/config", "log",
]  # fmt: skip
_BEFORE = [
    "/static/",
    "/static/sub/",
    "/static//",
    "/static/hello.txt/",
    "/static/private/",
    "/static",
    "/",
    "/docs/",
    "/%73tatic/",
]
_AFTER = ["", "/", "%00", "%00.html", ".html", "?x", "%3fx", "#x", ";x", "%20", ".", "%2e", "~", "::$DATA", "/.", "/..", "%0a"]
_OTHER = [
    "/static/out", "/static/out/outside.txt", "/static/way/outside.txt", "/static/way/", "/static/loop", "/static/loop/x",
    "/static/pass", "/static/magic", "/static/magic/outside.txt", "/static/fifo", "/static/socket", "/static/zero",
    "/static/.env", "/static/%2eenv", "/static/.env%20", "/static/sub/.git/config", "/static/sub/%2egit/config",
    "/static/private/secret.txt", "/static/%70rivate/secret.txt", "/static/private%2fsecret.txt", "/static/Private/secret.txt",
    "/static/sub/../private/secret.txt", "/static/inside/secret.txt", "/static/private;/secret.txt", "/docs/private/secret.txt",
    "file:///etc/passwd", "http://x/static/../outside.txt", "http://x/%2e%2e/etc/passwd", "*", "//etc/passwd",
    "/static/form.css",
    "/static/" + "../" * 500 + "etc/passwd", "/static/" + "a/" * 300 + "../" * 301 + "outside.txt",
    "/static/" + "%2e%2e%2f" * 200,
]  # fmt: skip
_PIECES = [*STEPS, "/", ".", "..", "%", "%2", "sub", "private", "out", "way", ".env", "outside.txt", "secret.txt"]
_PIECES += ["%00", "\x80", "é"]


def targets(count: int, seed: int) -> Iterator[bytes]:
    """So many targets: the special ones, a sample of all shapes, and as many that are put together at random."""
    draw = random.Random(seed)
    yield from map(_encoded, _OTHER[:count])
    left = max(count - len(_OTHER), 0)
    at_random = left // 3
    for _ in range(left - at_random):
        before, step, name, after = (draw.choice(each) for each in (_BEFORE, STEPS, _NAMES, _AFTER))
        yield _encoded(before + step * draw.randint(1, 8) + name + after)
    for _ in range(at_random):
        made = "".join(draw.choice(_PIECES) for _ in range(draw.randint(1, 12)))
        yield _encoded(draw.choice(_BEFORE) + made + draw.choice(_NAMES))


def _encoded(target: str) -> bytes:
    return target.encode("utf-8", "surrogateescape").replace(b" ", b"%20")
