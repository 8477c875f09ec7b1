"""As much of the Hugging Face hub as its libraries ask for, on 127.0.0.1: `HF_ENDPOINT` sends them here.

PyPI's servers did not serve: hf-local-hub ships without its binary, and olah mirrors a hub that it has to reach.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

ADDRESS = re.compile(
    r"/(?P<api>api/)?(?:(?P<kind>datasets|models)/)?(?P<name>[\w.-]+/[\w.-]+)"
    r"(?:/(?P<what>resolve|tree|paths-info|revision)/(?P<revision>[^/]+)(?:/(?P<path>.*))?)?"
)
Files = dict[str, bytes]


@dataclass
class Repository:
    """Its commits, the oldest first; `main` is the last."""

    commits: list[Files]
    gated: bool = False
    status: int | None = None  # of every answer, where the server is at fault

    @staticmethod
    def sha(number: int) -> str:
        """The name of the commit of this number."""
        return f"{number:040x}"

    def at(self, revision: str) -> tuple[str, Files] | None:
        """A commit's name and files; None if there is no such revision."""
        if revision == "main":
            return self.sha(len(self.commits) - 1), self.commits[-1]
        named = {self.sha(number): files for number, files in enumerate(self.commits)}
        return (revision, named[revision]) if revision in named else None


@dataclass
class Hub:
    """What the server has, what it was asked for, and how it misbehaves."""

    models: dict[str, Repository] = field(default_factory=dict)
    datasets: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # method and path of every request
    # Bytes after which the connection of the next answer with this file's content is dropped, by the file's name.
    drops: dict[str, int] = field(default_factory=dict)
    endpoint: str = ""


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """The hub behind `hub.endpoint`, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0].replace("%2F", "/")
        self.hub.asked.append(f"{self.command} {path}")
        asked = ADDRESS.fullmatch(path)
        shelf = self.hub.datasets if asked and asked["kind"] == "datasets" else self.hub.models
        repository = shelf.get(asked["name"]) if asked else None
        if asked is None or repository is None:
            return self._refuse(404, "RepoNotFound")
        if repository.status is not None:
            return self._refuse(repository.status, "Fault")
        if repository.gated:
            return self._refuse(403 if "Authorization" in self.headers else 401, "GatedRepo")
        commit = repository.at(asked["revision"] or "main")
        if commit is None:
            return self._refuse(404, "RevisionNotFound")
        sha, files = commit
        if not asked["api"]:
            return self._send_file(sha, files, asked["path"])
        if asked["what"] == "tree":
            return self._send_tree(files, asked["path"])
        if asked["what"] == "paths-info":
            wanted = _paths(body)
            return self._send([_entry(name, files[name]) for name in wanted if name in files])
        siblings = [{"rfilename": name} for name in files]
        return self._send(
            {"id": asked["name"], "sha": sha, "private": False, "gated": repository.gated, "siblings": siblings}
        )

    def _send_tree(self, files: Files, folder: str | None) -> None:
        """What lies in a folder, or below it if the request says `recursive`."""
        below = {name: name.removeprefix(f"{folder}/") for name in files if not folder or name.startswith(f"{folder}/")}
        if folder and not below:
            return self._refuse(404, "EntryNotFound")
        deep = "recursive=true" in self.path.lower()
        found = [_entry(name, files[name]) for name, rest in below.items() if deep or "/" not in rest]
        inside = {rest.split("/")[0] for rest in below.values() if "/" in rest}
        return self._send(found + [_folder("/".join(filter(None, (folder, name)))) for name in inside if not deep])

    def _send_file(self, sha: str, files: Files, name: str) -> None:
        if name not in files:
            return self._refuse(404, "EntryNotFound")
        content, status, extra = files[name], 200, {}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
            extra = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            content, status = content[first : last + 1], 206
        self.send_response(status)
        headers = {"Content-Length": len(content), "ETag": f'"{_etag(files[name])}"', "X-Repo-Commit": sha, **extra}
        for key, value in {**headers, "Accept-Ranges": "bytes"}.items():
            self.send_header(key, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        most = self.hub.drops.pop(name, None)
        self.wfile.write(content[:most])
        self.close_connection |= most is not None

    def _send(self, found: Any) -> None:
        self._write(200, json.dumps(found).encode())

    def _refuse(self, status: int, code: str) -> None:
        self._write(status, json.dumps({"error": code}).encode(), {"X-Error-Code": code, "X-Error-Message": code})

    def _write(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}


def _folder(name: str) -> dict[str, Any]:
    return {"type": "directory", "path": name, "size": 0, "oid": _etag(name.encode())}


def _paths(body: bytes) -> list[str]:
    text = body.decode()
    return json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
