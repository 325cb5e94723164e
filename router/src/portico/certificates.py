"""Which certificate a TLS client gets, chosen by the name it asks for (SNI), and read anew when the files change.

Either one pair of files or a folder: each `NAME.crt` (or `.pem`) with its `NAME.key` beside it, found by the names inside the
certificate and not by the file's. Exact names win over wildcards (RFC 6125 section 6.4.3: one label, leftmost). A client that
asks for no name, or for one that nobody has, gets the first certificate by file name.

TLS 1.2 and later, no renegotiation, ALPN `http/1.1`.
"""

import ssl
from pathlib import Path
from typing import Any

from twisted.logger import Logger

__all__ = ["Asking", "BadCertificates", "Certificates"]

ALPN = ("http/1.1",)
CHECK_INTERVAL = 5.0
"""Seconds between looks at the files; the owner calls `refresh` so often."""


class BadCertificates(ValueError):
    """No usable certificate; the text names the file and the reason."""


class Asking(ssl.SSLObject):
    """A TLS machine that remembers which name its client has asked for."""

    asked_name: str | None = None


class Certificates:
    """The contexts made from a file or a folder."""

    log = Logger()

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """`certificate` is a file, with `key` its key (or the key in the same file), or a folder with both for each name.

        Raises:
            BadCertificates: nothing there can be used.
        """
        self._certificate, self._key = certificate, key
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.default: ssl.SSLContext
        self._seen = self._stamp()
        self._load()

    def refresh(self) -> None:
        """Read the files again if they have changed; bad ones leave what was there."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return
            self._seen = stamp
            self._load()
        except (BadCertificates, OSError) as error:
            self.log.error("the certificates in use stay: {why}", why=str(error))
        else:
            self.log.info("certificates read again from {path}", path=str(self._certificate))

    def context_for(self, name: str | None) -> ssl.SSLContext:
        """The context for the name that a client asks for."""
        if not name:
            return self.default
        name = name.lower().rstrip(".")
        wildcard = "*." + name.partition(".")[2]
        return self._by_name.get(name) or self._by_name.get(wildcard) or self.default

    # -- files

    def _pairs(self) -> list[tuple[Path, Path]]:
        if not self._certificate.is_dir():
            return [(self._certificate, self._key or self._certificate)]
        found = sorted(path for path in self._certificate.iterdir() if path.suffix in (".crt", ".pem"))
        return [(path, key if (key := path.with_suffix(".key")).exists() else path) for path in found]

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        stamps = []
        for pair in self._pairs() if self._certificate.exists() else ():
            for path in pair:
                try:
                    status = path.stat()
                except OSError:
                    continue
                stamps.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(stamps)

    def _load(self) -> None:
        if not self._certificate.exists():
            raise BadCertificates(f"{self._certificate}: no such file or folder")
        pairs = self._pairs()
        if not pairs:
            raise BadCertificates(f"{self._certificate}: no *.crt or *.pem in this folder")
        contexts = [self._make(*pair) for pair in pairs]
        by_name: dict[str, ssl.SSLContext] = {}
        for (path, _), context in zip(pairs, contexts, strict=True):
            for name in _names(path):
                by_name.setdefault(name, context)
        self._by_name, self.default = by_name, contexts[0]

    def _make(self, certificate: Path, key: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # a client that ends its side without a word may still read
        context.set_alpn_protocols(list(ALPN))
        context.sni_callback = self._choose
        context.sslobject_class = Asking
        try:
            context.load_cert_chain(certificate, key, password="")  # else a key with a passphrase would ask the terminal
        except (OSError, ssl.SSLError) as error:
            where = certificate if key == certificate else f"{certificate} with key {key}"
            raise BadCertificates(f"{where}: {error.strerror or error}") from None
        return context

    def _choose(self, tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        tls.context = self.context_for(name)
        if isinstance(tls, Asking):
            tls.asked_name = name


def _names(certificate: Path) -> list[str]:
    """The DNS names in a certificate, by the decoder that the standard library has for its own tests."""
    try:
        decoded: dict[str, Any] = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]
    except (OSError, ssl.SSLError) as error:
        raise BadCertificates(f"{certificate}: {error}") from None
    names = [value.lower() for kind, value in decoded.get("subjectAltName", ()) if kind == "DNS"]
    if not names:
        names = [value.lower() for entry in decoded.get("subject", ()) for kind, value in entry if kind == "commonName"]
    return names
