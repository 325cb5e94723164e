"""Content-Type by extension: one table of our own, so that every machine says the same.

Text is declared as UTF-8. Compressed files are files, not encodings: a `.tar.gz` is downloaded as it is. What is not in the
table is `application/octet-stream`, which no browser runs or guesses about (`nosniff` goes with every answer).
"""

__all__ = ["UNKNOWN", "content_type", "shrinks"]

UNKNOWN = b"application/octet-stream"

_TEXT = {
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "log": "text/plain",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "rst": "text/plain",
    "txt": "text/plain",
    "vtt": "text/vtt",
}
_OTHER = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "ico": "image/vnd.microsoft.icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "m4a": "audio/mp4",
    "map": "application/json",
    "mkv": "video/x-matroska",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "rss": "application/rss+xml",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
}
_TABLE = {f".{ext}".encode(): f"{kind}; charset=utf-8".encode() for ext, kind in _TEXT.items()}
_TABLE |= {f".{ext}".encode(): kind.encode() for ext, kind in _OTHER.items()}


def content_type(name: bytes) -> bytes:
    """The Content-Type of a file called `name`."""
    stem, dot, extension = name.rpartition(b".")
    return _TABLE.get(dot + extension.lower(), UNKNOWN) if stem else UNKNOWN


_SHRINKING = frozenset(
    [kind.encode() for kind in ("application/json", "application/ld+json", "application/wasm", "application/xml")]
    + [kind.encode() for kind in ("image/svg+xml", "image/bmp", "image/vnd.microsoft.icon", "font/ttf", "font/otf")]
    + [f"application/{kind}".encode() for kind in ("atom+xml", "rss+xml", "xhtml+xml", "manifest+json", "pdf", "x-tar")]
)


def shrinks(kind: bytes) -> bool:
    """Whether files of a Content-Type become smaller when compressed, so that precompressed forms are looked for."""
    return kind.startswith(b"text/") or kind in _SHRINKING
