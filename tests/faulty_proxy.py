"""A server between the writer and a real MLflow server, that answers as a server in trouble does."""

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FaultyProxy:
    """Hands requests on to `behind`, and fails as it is told.

    Parameters
    ----------
    behind : str
        URL of the MLflow server.
    fault : str
        What happens to a request: nothing (empty), `refuse` (500, and it is not handed on), `lose` (handed
        on, and its answer is a 500) or `wait` (handed on `seconds` later, also where nobody waits for it any
        more).
    of : str
        Only requests with this in their path are hit.
    """

    behind: str
    fault: str = ""
    of: str = ""
    seconds: float = 0.0
    hit: int = 0
    handed_on: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault if proxy.of in self.path else ""
                with proxy._lock:
                    proxy.hit += bool(fault)
                if fault == "wait":
                    time.sleep(proxy.seconds)
                answer = (500, b"out of order")
                if fault != "refuse":
                    answer = proxy._hand_on(self.command, self.path, body, dict(self.headers))
                status, content = (500, b"out of order") if fault == "lose" else answer
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(content)))
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # nobody waits for it any more

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

            def log_message(self, format: str, *values: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _hand_on(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        kept = {name: value for name, value in headers.items() if name.lower() in ("content-type", "accept")}
        request = urllib.request.Request(self.behind + path, body or None, kept, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                given = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            given = error.code, error.read()
        except OSError:
            given = 502, b"nothing behind"
        with self._lock:
            self.handed_on += 1
        return given

    def close(self) -> None:
        """Stop; what waits is still handed on."""
        self._server.shutdown()
        self._server.server_close()
