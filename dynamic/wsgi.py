"""Where the application stands: under /app/, behind one proxy.

The router passes paths on as they came, so the prefix is taken off here. The proxy's word is the last address of
X-Forwarded-For and the whole of X-Forwarded-Proto; what stands before that address is the client's.
"""

from app import app
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

__all__ = ["application"]

application = ProxyFix(DispatcherMiddleware(NotFound(), {"/app": app}), x_for=1, x_proto=1, x_host=0, x_port=0, x_prefix=0)
