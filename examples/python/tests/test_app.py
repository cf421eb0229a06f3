import contextlib
import io
import json
import unittest

from reports.app import MAX_BODY, application


def ask(method, path, body=b"", length=None):
    said = {}
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body) if length is None else length),
        "wsgi.input": io.BytesIO(body),
    }
    with contextlib.redirect_stdout(io.StringIO()) as log:
        answer = b"".join(application(environ, lambda status, headers: said.update(status=status)))
    return said["status"], json.loads(answer), json.loads(log.getvalue())


class Service(unittest.TestCase):
    def test_health(self):
        self.assertEqual(ask("GET", "/health")[:2], ("200 OK", {"status": "ok"}))

    def test_words_are_counted(self):
        status, body, log = ask("POST", "/api/reports", json.dumps({"text": "To be, or not to be"}).encode())
        self.assertEqual(status, "200 OK")
        self.assertEqual(body["words"][:2], [{"word": "be", "count": 2}, {"word": "to", "count": 2}])
        self.assertEqual((log["route"], log["status"]), ("POST /api/reports", 200))

    def test_bad_input_says_what_is_wrong(self):
        for body, length, status, error in (
            (b"{", None, "400 Bad Request", "the body is not JSON"),
            (b"[]", None, "400 Bad Request", "text: want a text"),
            (b"", "many", "400 Bad Request", "Content-Length is no number"),
            (b"", MAX_BODY + 1, "413 Content Too Large", f"the body has more than {MAX_BODY} bytes"),
        ):
            with self.subTest(error):
                self.assertEqual(ask("POST", "/api/reports", body, length)[:2], (status, {"error": error}))

    def test_another_route(self):
        self.assertEqual(ask("GET", "/api/reports")[:2], ("404 Not Found", {"error": "no such route"}))


if __name__ == "__main__":
    unittest.main()
