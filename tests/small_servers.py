"""Two small servers under `sweeps.dashboards.serve`, each with a child in its group.

`python small_servers.py serve LOG HOW PORT PORT`; HOW is what the second one does: `gentle`, `stubborn` (its
child ignores SIGTERM) or `brief` (ends before it has a page).
"""

import signal
import subprocess
import sys
import time
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

from study.errors import RunError
from sweeps.dashboards import Server, serve


def child(how: str) -> None:
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child", flush=True)  # noqa: T201 -- goes to the log of `serve`
    time.sleep(600)


def page(how: str, port: str) -> None:
    subprocess.Popen([sys.executable, __file__, "child", how])
    if how != "brief":
        HTTPServer(("127.0.0.1", int(port)), SimpleHTTPRequestHandler).serve_forever()


def both(log: str, how: str, *ports: str) -> None:
    opened = [
        Server(title, (sys.executable, __file__, "page", way, port), "127.0.0.1", int(port))
        for title, way, port in zip(("First", "Second"), ("gentle", how), ports, strict=True)
    ]
    try:
        serve(opened, Path(log), lambda: print("ready", flush=True))  # noqa: T201
    except RunError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    {"child": child, "page": page, "serve": both}[sys.argv[1]](*sys.argv[2:])
