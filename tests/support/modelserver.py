"""A model that answers as a test wants: a real HTTP server on loopback that speaks the OpenAI and the Anthropic API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class ModelServer:
    """`script` is what it does with a request; it may be replaced while it runs. `release` ends what waits."""

    port: int
    script: Callable[[Exchange], None]
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    release: Event = field(default_factory=Event)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@dataclass
class Exchange:
    """One request and the way to answer it."""

    server: ModelServer
    handler: BaseHTTPRequestHandler
    body: dict[str, Any]

    @property
    def question(self) -> str:
        """What the user's message says."""
        content = self.body["messages"][-1]["content"]
        return content if isinstance(content, str) else "\n".join(part["text"] for part in content)

    @property
    def events(self) -> dict[str, str]:
        """The events of the question, by number."""
        lines = [json.loads(line) for line in self.question.splitlines() if line.startswith('{"event"')]
        return {line["event"]: line["text"] for line in lines}

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.handler.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (sent | {key.replace("_", "-"): value for key, value in headers.items()}).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def say(self, text: str) -> None:
        """An ordinary completion with this text."""
        if self.handler.path.endswith("/messages"):
            said: dict[str, Any] = {
                "id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                "stop_sequence": None, "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": 900, "output_tokens": 100},
            }  # fmt: skip
        else:
            said = {
                "id": "c1", "object": "chat.completion", "created": 1, "model": self.body["model"],
                "choices": [
                    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
                ],
                "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000},
            }  # fmt: skip
        self.send(200, json.dumps(said).encode())

    def advise(self, text: str = "Passwords were guessed.", *, quote: str | None = None, **more: Any) -> None:
        """A good answer about the first event."""
        first = next(iter(self.events.values()), "")
        claim = {"text": text, "events": ["E1"], "quote": first if quote is None else quote}
        self.say(json.dumps({"explanation": [claim], "causes": [], "next_steps": []} | more))


@contextmanager
def model_server(script: Callable[[Exchange], None]) -> Iterator[ModelServer]:
    """A model that runs until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            served.asked.append(body)
            served.headers.append({name.lower(): value for name, value in self.headers.items()})
            served.paths.append(self.path)
            try:
                served.script(Exchange(served, self, body))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    served = ModelServer(http.server_address[1], script)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        served.release.set()
        http.shutdown()
        thread.join()
        http.server_close()
