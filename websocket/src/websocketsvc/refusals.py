"""HTTP answers to requests that open no WebSocket: values, made where something is found wrong and written at the edge."""

from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Refusal"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer after which the connection closes."""

    status: int
    text: str
    """One line for a person."""
    fields: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        """The whole answer. `Upgrade` needs its name in `Connection` too (RFC 9110 section 7.8)."""
        body = f"{self.text}\n".encode()
        connection = "close, Upgrade" if any(name == "Upgrade" for name, _ in self.fields) else "close"
        fields = (
            *self.fields,
            ("Connection", connection),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Length", str(len(body))),
        )
        lines = [f"{name}: {value}\r\n" for name, value in fields]
        return f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n{''.join(lines)}\r\n".encode("latin-1") + body
