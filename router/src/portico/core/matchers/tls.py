"""TLS, by the name and the protocols that the client asks for; without terminating it, or after the router has."""

from dataclasses import dataclass

from ..clienthello import TlsFacts
from ..names import Names
from ..preface import Preface
from ..verdict import NO, YES, Verdict

__all__ = ["Tls"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Does the client begin TLS, for one of these names (SNI), with one of these protocols (ALPN)? None: any, or none at all.

    Where the router has ended TLS, the same is asked of what was agreed on. So `tls` together with `prefix` works there.
    """

    sni: Names | None = None
    alpn: frozenset[bytes] | None = None
    http = False
    delays = ()

    def match(self, preface: Preface) -> Verdict:
        """See `Matcher`."""
        facts = preface.tls
        if not isinstance(facts, TlsFacts):
            return facts
        if self.sni is not None and (facts.sni is None or facts.sni not in self.sni):
            return NO
        return YES if self.alpn is None or not self.alpn.isdisjoint(facts.alpn) else NO

    def saw(self, preface: Preface) -> str:
        """See `Matcher`."""
        facts = preface.tls
        if not isinstance(facts, TlsFacts):
            return "not a TLS ClientHello"
        sni = "none" if facts.sni is None else facts.sni.decode("ascii")
        return f"SNI is {sni}, ALPN is {', '.join(name.decode('utf-8', 'replace') for name in facts.alpn) or 'none'}"

    def __str__(self) -> str:
        sni = "" if self.sni is None else f" sni {self.sni}"
        names = sorted(name.decode() for name in self.alpn or ())
        return f"tls{sni}" + (f" alpn {' or '.join(names)}" if names else "")
