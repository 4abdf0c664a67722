"""Whether an MLflow server lets us in: refused, asked for nothing, slow, in trouble, away."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow_server import free_port

from study import mlflow_access
from study.errors import InputError
from study.mlflow_access import check_readable, check_writable
from study.mlflow_runs import read_experiment

USER, PASSWORD = "me", "right s3cret:ß"


_WORDS = {401: b"You are not authenticated.", 403: b"Permission denied"}
"""What MLflow's basic-auth says."""


@dataclass
class Door:
    """Answers as a server without experiments does, to those who know the password, if it asks for one."""

    password: str = ""
    token: str = ""
    status: int = 404
    writing: int = 400
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(door.status)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(door.writing)

            def _answer(self, status: int) -> None:
                door.asked.append(self.path)
                time.sleep(door.seconds)
                user = base64.b64encode(f"{USER}:{door.password}".encode()).decode()
                known = f"Bearer {door.token}" if door.token else f"Basic {user}" if door.password else None
                status = 401 if known not in (None, self.headers.get("Authorization")) else status
                missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}
                body = _WORDS.get(status) or json.dumps(missing).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *values: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    made = Door()
    yield made
    made.close()


def give(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def test_the_right_password_or_none_where_none_is_asked_for_passes(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(door.url, "small")
    door.password = PASSWORD
    give(monkeypatch, PASSWORD)
    check_writable(door.url, "small")
    assert [path.rpartition("/")[2].partition("?")[0] for path in door.asked] == 2 * ["get-by-name", "create"]


def test_no_password_and_a_wrong_one_are_a_sentence_each(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door.password = PASSWORD
    names = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    with pytest.raises(InputError) as none:
        check_writable(door.url, "small")
    assert (
        str(none.value) == f"MLflow at {door.url} asks for a user and a password that it knows; set {names}."
    )
    give(monkeypatch, "wr0ng")
    with pytest.raises(InputError) as wrong:
        check_writable(door.url, "small")
    said = f"MLflow at {door.url} does not accept the user and the password in {names}; correct them."
    assert str(wrong.value) == said
    with pytest.raises(InputError) as reading:
        read_experiment("mine", door.url, "act", "val_score")
    assert str(reading.value) == said


def test_a_password_in_the_url_is_used_and_not_shown(door: Door) -> None:
    door.password = "s3cret"
    address = door.url.removeprefix("http://")
    check_writable(f"http://{USER}:s3cret@{address}", "small")
    with pytest.raises(InputError) as refused:
        check_writable(f"http://{USER}:wr0ng@{address}", "small")
    assert str(refused.value) == (
        f"MLflow at http://***@{address} does not accept the user and the password in its address; "
        "correct them."
    )


def test_a_wrong_token_is_a_sentence_that_does_not_show_it(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.token = "right"
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "right")
    check_writable(door.url, "small")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "wr0ng")
    with pytest.raises(InputError) as refused:
        check_writable(door.url, "small")
    assert str(refused.value) == (
        f"MLflow at {door.url} does not accept the token in MLFLOW_TRACKING_TOKEN; correct it, or, where the "
        "server knows users and passwords instead, unset it and set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD."
    )


@pytest.mark.parametrize("token", ["s3cret\n", "s3 cret", "s3crét", "s3cret€"])
def test_a_token_that_no_request_can_carry_is_said_and_not_shown(
    door: Door, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
    with pytest.raises(InputError, match="MLFLOW_TRACKING_TOKEN holds a space, a line break") as refused:
        check_writable(door.url, "small")
    assert "s3" not in str(refused.value)
    assert not door.asked


def test_who_may_not_write_is_told_and_who_may_not_read(door: Door) -> None:
    door.writing = 403
    with pytest.raises(InputError) as writing:
        check_writable(door.url, "small")
    said = f"MLflow at {door.url} does not give this user the permission {{}} for the experiment 'small'; "
    advice = "ask its owner or who runs the server for it, or name another experiment or another server."
    assert str(writing.value) == said.format("MANAGE") + advice
    check_readable(door.url, "small")
    door.status = 403
    with pytest.raises(InputError) as reading:
        check_readable(door.url, "small")
    assert str(reading.value) == said.format("READ") + advice


def test_a_server_in_trouble_and_one_that_is_away_pass(door: Door, tmp_path: Path) -> None:
    door.status = 500
    check_writable(door.url, "small")
    check_writable(f"http://127.0.0.1:{free_port()}", "small")
    check_writable(f"sqlite:///{tmp_path / 'mlflow.db'}", "small")
    assert not list(tmp_path.iterdir())


def test_a_server_that_hangs_is_not_waited_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(door.url, "small")  # imports
    monkeypatch.setattr(mlflow_access, "_PATIENCE", 0.05)
    door.password, door.seconds = PASSWORD, 0.4
    started = time.monotonic()
    check_writable(door.url, "small")
    assert time.monotonic() - started < door.seconds
