"""azmlinfsrv with one worker, and requests to it over the v2 protocol in binary."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_S = 150.0

#: Name, datatype, shape, bytes.
Tensor = tuple[str, str, list[int], bytes]


class Failed(Exception):
    """A server or client is not as it should be; the text says why."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def infer_body(inputs: list[Tensor], outputs: list[str]) -> tuple[bytes, int]:
    """A request, and how long its JSON is."""
    head = json.dumps({
        "inputs": [
            {"name": name, "datatype": datatype, "shape": shape,
             "parameters": {"binary_data_size": len(content)}}
            for name, datatype, shape, content in inputs
        ],
        "outputs": [{"name": name, "parameters": {"binary_data": True}} for name in outputs],
    }).encode()
    return b"".join([head, *(content for *_, content in inputs)]), len(head)


def infer_head(json_bytes: int) -> list[str]:
    """The fields that go with it."""
    return ["Content-Type: application/octet-stream",
            f"Inference-Header-Content-Length: {json_bytes}"]


class Server:
    """One start of it."""

    def __init__(self, script: Path, log: Path, env: dict[str, str]) -> None:
        self.port, self.log, self.model = free_port(), log, script.stem
        command = [sys.executable, "-m", "scorehost.azmlinfsrv", "--entry_script", str(script),
                   "--host", "127.0.0.1", "--port", str(self.port), "--worker_count", "1",
                   "--access_log", "off"]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(command, env={**os.environ, **env}, stdout=file,
                                            stderr=file, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    def said(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace")

    def ask(self, method: str, path: str, body: bytes = b"",
            fields: list[str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """One request: status, fields with names in small letters, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = dict(field.split(": ", 1) for field in fields or [])
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            told = {name.lower(): text for name, text in response.getheaders()}
            return response.status, told, response.read()
        finally:
            connection.close()

    def infer(self, inputs: list[Tensor], outputs: list[str]) -> dict[str, bytes]:
        """The bytes of each output; Failed for another answer than 200."""
        body, json_bytes = infer_body(inputs, outputs)
        path = f"/v2/models/{self.model}/infer"
        status, told, content = self.ask("POST", path, body, infer_head(json_bytes))
        if status != 200:
            raise Failed(f"{status}: {content[:300].decode(errors='replace')}")
        at = int(told["inference-header-content-length"])
        found = {}
        for output in json.loads(content[:at])["outputs"]:
            size = output["parameters"]["binary_data_size"]
            found[output["name"]] = content[at : at + size]
            at += size
        return found

    def wait_ready(self) -> None:
        """Waits until the script is loaded."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.ask("GET", f"/v2/models/{self.model}/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise Failed(f"the server is not ready: {' / '.join(self.said().splitlines()[-3:])}")

    def counts(self) -> tuple[int, int]:
        """Rows so far, and calls of run()."""
        stats = json.loads(self.ask("GET", f"/v2/models/{self.model}/stats")[2])
        batches = [(int(batch["batch_size"]), int(batch["compute_infer"]["count"]))
                   for batch in stats["model_stats"][0]["batch_stats"]]
        return sum(rows * calls for rows, calls in batches), sum(calls for _, calls in batches)

    def has_gpu(self) -> bool:
        """Whether it has said nothing of a GPU that is not there."""
        return "There is no GPU to be used" not in self.said()

    def stop(self) -> None:
        """Asks it to end, and sees that it does."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
