"""An ordinary Flask application. It knows nothing of Portico: not its prefix, not who stands in front of it.

A page with a form, what the form leads to, a response that comes in pieces, and what the application was asked.
"""

import platform
import time
from collections.abc import Iterator

from flask import Flask, redirect, render_template_string, request, url_for
from flask.typing import ResponseReturnValue

__all__ = ["app"]

STEPS = 10
"""Pieces of the streamed response."""
PAUSE = 0.1
"""Seconds between two of them."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Flask behind Portico</title>
<style>
body { max-width: 40rem; margin: 3rem auto; padding: 0 1.25rem; font: 1rem/1.55 system-ui, sans-serif; }
input, button { font: inherit; padding: .25rem .75rem; }
</style>
</head>
<body>
<h1>Hello{% if name %}, {{ name }}{% endif %}</h1>
<p>This page comes from a Flask application under gunicorn.</p>
<form method="post" action="{{ url_for('greet') }}">
  <label for="name">Your name</label>
  <input id="name" name="name" required maxlength="100" autocomplete="name">
  <button>Say hello</button>
</form>
<ul>
  <li><a href="{{ url_for('count') }}">a response that comes in pieces</a></li>
  <li><a href="{{ url_for('asked') }}">what this application was asked, and by whom</a></li>
</ul>
</body>
</html>
"""

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 65_536


@app.get("/")
def index() -> str:
    """The page."""
    return render_template_string(PAGE, name=request.args.get("name", ""))


@app.post("/greet")
def greet() -> ResponseReturnValue:
    """Back to the page, which says the name."""
    return redirect(url_for("index", name=request.form["name"]), 303)


@app.get("/count")
def count() -> ResponseReturnValue:
    """Numbers, each sent when it is said."""

    def lines() -> Iterator[str]:
        for number in range(1, STEPS + 1):
            yield f"{number}\n"
            if number < STEPS:
                time.sleep(PAUSE)

    return lines(), {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/asked", methods=["GET", "POST"])
def asked() -> ResponseReturnValue:
    """What came here."""
    return {
        "method": request.method,
        "url": request.url,
        "prefix": request.script_root,
        "path": request.path,
        "client": request.remote_addr,
        "fields": dict(request.headers),
        "replica": platform.node(),
    }
