"""The bundle served by its own command, and called as applications call it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from modelway_bentoml.packager import BentoML
from shop import ROW, scoring_model

from modelway import Bundle

PICKLES = [
    "application/vnd.bentoml+pickle",
    "application/x-pickle",
    "application/python-pickle",
    "APPLICATION/PICKLE; v=1",
]


@dataclass
class Server:
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    ready: float = 0.0

    def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def predict(self, body: Any, status: int) -> Any:
        found, headers, text = self.call(
            "POST", "/predict", body if isinstance(body, bytes) else json.dumps(body).encode()
        )
        assert found == status, text[:500]
        assert headers["content-type"] == "application/json"
        return json.loads(text)


@contextmanager
def serve(root: Path) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv, environment = BentoML().command(root, "127.0.0.1", port)
    log = root.parent / f"{port}.log"
    with log.open("wb") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            argv, env={**os.environ, **environment}, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    server = Server(port, process, log)
    try:
        while True:
            try:
                server.call("GET", "/health")
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() - start < 25, log.read_text()
                time.sleep(0.03)
        server.ready = time.monotonic() - start
        yield server
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            try:
                process.wait(15)
            finally:
                for member in [process, *family]:
                    if psutil.pid_exists(member.pid):
                        member.kill()


@pytest.fixture(scope="module")
def root(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(bundle.root, tmp_path_factory.mktemp("served") / "bundle"))


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Server]:
    with serve(root) as running:
        yield running


def test_the_service_is_ready_once_its_golden_rows_score_as_in_training(server: Server, bundle: Bundle) -> None:
    status, _, body = server.call("GET", "/health")
    health = json.loads(body)
    assert (status, health["status"], health["golden_rows"]) == (200, "ready", 3)
    assert health["largest_difference"] <= health["tolerance"] == 1e-6
    assert health["digests"] == bundle.about["digests"]
    assert server.call("GET", "/readyz")[0] == 200


def test_rows_are_scored_as_offline_and_each_prediction_can_be_named(server: Server, bundle: Bundle) -> None:
    golden = scoring_model().golden
    answer = server.predict({"rows": golden["rows"]}, 200)
    assert [prediction["score"] for prediction in answer["predictions"]] == golden["scores"]
    assert len({prediction["id"] for prediction in answer["predictions"]}) == 3
    assert answer["model"] == {"project": "Shop 2", "version": bundle.about["version"], "threshold": 0.5}


def test_ten_thousand_rows_come_back_in_their_order(server: Server) -> None:
    rows = [{**ROW, "age": i % 100} for i in range(10_000)]
    answer = server.predict({"rows": rows}, 200)
    expected = scoring_model().score_records(rows)["score"].tolist()
    assert [prediction["score"] for prediction in answer["predictions"]] == expected


def test_values_that_training_would_refuse_are_refused_by_row_field_and_rule(server: Server) -> None:
    answer = server.predict({"rows": [ROW, {**ROW, "age": "x"}, {**ROW, "spent": -1}]}, 422)
    assert answer["count"] == 2
    assert [(p["row"], p["field"], p["rule"]) for p in answer["problems"]] == [(1, "age", "type"), (2, "spent", "min")]


def test_bodies_that_are_no_rows_are_refused_and_never_a_fault_of_the_service(server: Server) -> None:
    for body in (
        b"",
        b"{",
        b"[]",
        b'{"row": {"age": NaN}}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"rows": [' + b"{}," * 9 + b"]}",
    ):
        assert server.predict(body, 400)["error"]
    assert server.predict(b'{"rows": [' + b"{}," * 100_000 + b"{}]}", 413)["error"]
    assert server.predict({"row": {**ROW, "income": 1e400}}, 400)["error"]
    assert server.predict(json.dumps({"row": {**ROW, "spent": 7}}).replace("7", "1e400").encode(), 422)["problems"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        try:
            for _ in range(20):
                connection.sendall(chunk)
        except OSError:
            pass
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_only_json_is_accepted(server: Server) -> None:
    body = json.dumps({"row": ROW}).encode()
    for kind in ("text/csv", "application/octet-stream", "multipart/form-data; boundary=x"):
        assert server.call("POST", "/predict", body, content_type=kind)[0] == 415
    assert server.call("POST", "/predict", body, content_type="application/json; charset=utf-8")[0] == 200
    assert server.call("POST", "/predict", body, content_encoding="gzip")[0] == 415


def test_no_route_takes_a_pickled_body(server: Server) -> None:
    paths = [
        "/predict",
        "/schema",
        "/health",
        "/",
        "/schema.json",
        "/docs.json",
        "/metrics",
        "/livez",
        "/readyz",
        "/healthz",
        "/none",
    ]
    for path in paths:
        for kind in PICKLES:
            assert server.call("POST", path, b"\x80\x04N.", content_type=kind)[0] == 415, (path, kind)
    # The container of BentoML's multipart bodies, named by a header of its own.
    assert server.call("POST", "/predict", b"\x80\x04N.", Payload_Container="pickle")[0] == 415


def test_bentoml_offers_no_endpoint_of_its_own_that_takes_a_body(server: Server, root: Path) -> None:
    described = json.loads((root / "apis" / "schema.json").read_text())
    assert described["routes"] == []
    for path in ("/", "/schema.json", "/docs.json", "/metrics", "/livez", "/readyz", "/healthz"):
        assert server.call("POST", path, b"{}")[0] == 405, path


def test_the_service_describes_itself(server: Server) -> None:
    assert json.loads(server.call("GET", "/schema")[2])["title"] == "Request"
    described = json.loads(server.call("GET", "/openapi.json")[2])
    assert set(described["paths"]) == {"/predict", "/schema", "/health", "/openapi.json"}
    example = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]["golden"]
    assert server.predict(example["value"], 200)["predictions"]


def test_nothing_listens_beyond_loopback(server: Server) -> None:
    for process in [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]:
        listening = [c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert set(listening) <= {"127.0.0.1"}


def test_a_bad_request_leaves_no_stack_trace_in_the_log(server: Server) -> None:
    server.predict({"row": {}}, 422)
    assert "Traceback" not in server.log.read_text()


def test_a_bundle_that_was_changed_stays_not_ready_and_says_why_and_leaves_no_process(
    root: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(root, tmp_path / "bundle"))
    (changed / "src" / "model" / "model" / "linear.json").write_text('[["age"],[[1.0]],"binary"]')
    with serve(changed) as server:
        family = psutil.Process(server.process.pid).children(recursive=True)
        assert family
        status, _, body = server.call("GET", "/health")
        assert status == 503
        assert "model is not what was packaged" in json.loads(body)["reason"]
        assert server.call("GET", "/readyz")[0] == 503
        assert "not ready" in server.predict({"row": ROW}, 503)["error"]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive
