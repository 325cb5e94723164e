"""How a connection ended, in two letters, in HAProxy's manner (its configuration manual, section 8.5).

The first says who ended it, the second in which phase it was then. "--" is a connection that ended in good order, or that has
left the router alive. A small letter is a time that was up: somebody was waited for. `docs/access-log.md` explains each pair
that occurs.
"""

from typing import Literal

__all__ = [
    "CLIENT",
    "CLIENT_TIME",
    "CONNECT",
    "DATA",
    "LAST",
    "LOCAL",
    "NORMAL",
    "OPERATOR",
    "PHASES",
    "QUEUE",
    "REQUEST",
    "RESOURCE",
    "RESPONSE",
    "ROUTER",
    "SERVER",
    "SERVER_TIME",
    "WHO",
    "Phase",
    "Who",
]

Who = Literal["C", "S", "P", "L", "R", "K", "c", "s"]
Phase = Literal["R", "Q", "C", "H", "D", "L"]

CLIENT: Who = "C"
SERVER: Who = "S"
ROUTER: Who = "P"
LOCAL: Who = "L"
RESOURCE: Who = "R"
OPERATOR: Who = "K"
CLIENT_TIME: Who = "c"
SERVER_TIME: Who = "s"

REQUEST: Phase = "R"
QUEUE: Phase = "Q"
CONNECT: Phase = "C"
RESPONSE: Phase = "H"
DATA: Phase = "D"
LAST: Phase = "L"

NORMAL = "--"

WHO: dict[Who, str] = {
    CLIENT: "the client left",
    SERVER: "the server refused, or ended the connection too early",
    ROUTER: "the router refused: a rule, a limit, or a message that is not sound",
    LOCAL: "the router answered itself, as its configuration says",
    RESOURCE: "the router had no descriptor, port or memory left",
    OPERATOR: "the operator: the router or the replica was drained",
    CLIENT_TIME: "the client's time was up",
    SERVER_TIME: "the server's time was up",
}
PHASES: dict[Phase, str] = {
    REQUEST: "a request was awaited, or was not whole",
    QUEUE: "it waited for a replica",
    CONNECT: "a connection to the server was being made",
    RESPONSE: "the response's head was awaited",
    DATA: "data was on its way",
    LAST: "the server had finished, and the end of its data was on its way to the client",
}
