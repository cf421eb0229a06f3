"""A small WSGI service (PEP 3333) that counts words: POST /api/reports."""

import json
import re
import sys
import time

MAX_BODY = 64 * 1024  # bytes


class Failure(Exception):
    """What the client may know of a failure."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def count(text):
    """Counts the words of a text, most frequent first."""
    words = {}
    for word in re.findall(r"\w+", text.lower()):
        words[word] = words.get(word, 0) + 1
    return [{"word": w, "count": n} for w, n in sorted(words.items(), key=lambda i: (-i[1], i[0]))]


def report(environ):
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Failure("400 Bad Request", "Content-Length is no number") from None
    if not 0 <= length <= MAX_BODY:
        raise Failure("413 Content Too Large", f"the body has more than {MAX_BODY} bytes")
    try:
        body = json.loads(environ["wsgi.input"].read(length))
    except ValueError:
        raise Failure("400 Bad Request", "the body is not JSON") from None
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise Failure("400 Bad Request", "text: want a text")
    return {"words": count(text)}


ROUTES = {
    ("GET", "/health"): lambda environ: {"status": "ok"},
    ("POST", "/api/reports"): report,
}


def application(environ, start_response):
    started = time.monotonic()
    route = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
    status = "200 OK"
    try:
        handle = ROUTES.get(route)
        if handle is None:
            raise Failure("404 Not Found", "no such route")
        body = handle(environ)
    except Failure as failure:
        status, body = failure.status, {"error": str(failure)}
    except Exception as error:  # the client learns nothing of it
        status, body = "500 Internal Server Error", {"error": "internal error"}
        print(json.dumps({"level": "error", "error": repr(error)}), file=sys.stderr)
    data = json.dumps(body).encode()
    milliseconds = round((time.monotonic() - started) * 1000, 3)
    print(json.dumps({"level": "info", "route": " ".join(route), "status": int(status[:3]), "milliseconds": milliseconds}))
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]
