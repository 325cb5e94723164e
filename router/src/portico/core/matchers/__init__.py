"""What a route can ask of a connection. One module for each matcher; a page of the same name in `docs/matchers/` explains it.

A module whose name would be Python's own ends in an underscore.

| condition | asks | module |
|---|---|---|
| `prefix` | Is the path this one, or below it? | `prefix` |
| `path` | Is it exactly this path? | `path` |
| `host` | Is the request for one of these hosts? | `host` |
| `method` | Is its method one of these? | `method` |
| `header` | Has it these header fields? | `header` |
| `tls` | Does the client begin TLS, for one of these names or protocols? | `tls` |
| `ssh` | Does the client begin SSH? | `ssh` |
| `bytes` | Are these the first bytes? | `bytes_` |
| `silence` | Has the client sent nothing for so long? | `silence` |
| `all` `any` `not` | Do all, does one, does none of several hold? | `all_` `any_` `not_` |
| `default` | Does nothing else match? | `default` |
"""

from .all_ import All
from .any_ import Any
from .bytes_ import Bytes, Pattern
from .contract import Matcher
from .default import Default
from .header import Header
from .host import Host
from .method import Method
from .not_ import Not
from .path import Path
from .prefix import Prefix
from .silence import Silence
from .ssh import Ssh
from .tls import Tls

__all__ = [
    "All",
    "Any",
    "Bytes",
    "Default",
    "Header",
    "Host",
    "Matcher",
    "Method",
    "Not",
    "Path",
    "Pattern",
    "Prefix",
    "Silence",
    "Ssh",
    "Tls",
]
