"""The configurations of tests that bring up services of the site: what all of them begin with."""

__all__ = ["template"]

ROUTES = {
    "static": '  {{path = "/", service = "static"}},\n  {{prefix = "/static/", service = "static"}},\n',
    "uploads": '  {{prefix = "/uploads/", service = "uploads"}},\n',
    "autobahn": '  {{prefix = "/ws/autobahn/", service = "autobahn"}},\n',
    "app": '  {{prefix = "/app/", service = "app"}},\n',
}


def template(*services: str) -> str:
    """A listener at `{port}`, and the routes to `services`; for `str.format`, so braces that stay are doubled."""
    return 'listeners = [{{address = "127.0.0.1:{port}"}}]\nroutes = [\n' + "".join(map(ROUTES.__getitem__, services)) + "]\n"
