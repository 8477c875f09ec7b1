"""The W&B mirror: what a job logged is read back from the run's own file; what is wrong shows before the work."""

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import wandb
from processes import begun
from wandb.proto.wandb_internal_pb2 import Record as WandbRecord

from position_interpolation.app import launch, tracking
from position_interpolation.app.tracking import Tracker
from position_interpolation.evidence.records import Record
from position_interpolation.settings.errors import UsageError

FILE_HEADER, BLOCK, CHUNK_HEADER = 7, 32768, 7
BASIC_OF_A = base64.b64encode(f"api:{'a' * 40}".encode()).decode()
LAST_OF_A_RECORD = (1, 4)  # a record in one chunk, or its last chunk


def logged(path: Path) -> Iterator[Any]:
    """The messages of a .wandb file: LevelDB's log format behind a header of seven bytes."""
    content, position, pieces = path.read_bytes(), FILE_HEADER, b""
    while position + CHUNK_HEADER <= len(content):
        if BLOCK - position % BLOCK < CHUNK_HEADER:  # too little room for a chunk: the block was padded
            position += BLOCK - position % BLOCK
            continue
        length = int.from_bytes(content[position + 4 : position + 6], "little")
        pieces += content[position + CHUNK_HEADER : position + CHUNK_HEADER + length]
        if content[position + 6] in LAST_OF_A_RECORD:
            message = WandbRecord()
            message.ParseFromString(pieces)
            yield message
            pieces = b""
        position += CHUNK_HEADER + length


def finished(folder: Path) -> list[Any]:
    """The messages of the only run below a folder; its writer may still be busy for a moment."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for path in folder.glob("wandb/offline-run-*/*.wandb"):
            messages = list(logged(path))
            if any(message.HasField("exit") for message in messages):
                return messages
        time.sleep(0.1)
    raise AssertionError("the offline run was not written to its end")


def values(items: Any) -> dict[str, Any]:
    """The keys and values of a history or summary message."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def record(**given: Any) -> Record:
    return Record(
        experiment="tracked", rung="smoke", model="smoke", weights_sha256=None, method="pi", factor=4.0, window=256,
        steps=3, task="pg19", eval_window=128, stride=8, protocol="token", metric="perplexity", value=12.5,
        ci_low=12.0, ci_high=13.0, n_documents=2, n_tokens=100, data={}, seed=0, signature="0", commit=None,
        versions={}, device="cpu", dtype="float32", seconds=1.0, **given,
    )  # fmt: skip


def test_curve_table_and_configuration_are_in_the_offline_run(tmp_path: Path) -> None:
    launch.register()
    overrides = ["model=smoke", f"paths.runs={tmp_path}", "experiment_name=tracked"]
    config = launch.typed(launch.composed(overrides))
    with Tracker(config, "a-job") as tracker:
        for step in (1, 2, 3):
            tracker.log({"step": step, "train/loss": 5.0 - step})
        tracker.log_records([record(), record(at=64)])

    messages = finished(tmp_path)
    (run,) = [message.run for message in messages if message.HasField("run")]
    assert (run.display_name, run.run_group, run.project) == ("a-job", "tracked", "position-interpolation")
    settings = values(run.config.update)
    assert settings["train"]["learning_rate"] == config.train.learning_rate
    assert "paths" not in settings, "folders of this machine do not belong into a shared run"

    history = [values(message.history.item) for message in messages if message.HasField("history")]
    assert [row["train/loss"] for row in history if "train/loss" in row] == [4.0, 3.0, 2.0]
    assert any(row.get("records/nrows") == 2 for row in history)
    summaries = [values(message.summary.update) for message in messages if message.HasField("summary")]
    assert any(row.get("pg19/perplexity@128/token") == 12.5 for row in summaries)
    assert any("pg19/perplexity_at_64@128/token" in row for row in summaries)
    (table,) = tmp_path.rglob("records_*.table.json")
    found = json.loads(table.read_text())
    row = dict(zip(found["columns"], found["data"][0], strict=True))
    assert (row["model"], row["seed"], row["stride"], row["value"]) == ("smoke", 0, 8, 12.5)


def test_nothing_is_started_when_disabled_or_when_there_is_nothing_to_log(tmp_path: Path) -> None:
    launch.register()
    for mode, values_to_log in (("disabled", [{"loss": 1.0}]), ("offline", [])):
        config = launch.typed(launch.composed([f"wandb={mode}", f"paths.runs={tmp_path / mode}"]))
        with Tracker(config, "a-job") as tracker:
            for row in values_to_log:
                tracker.log(row)
        assert not list(tmp_path.rglob("*.wandb"))


# Online


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """As much of W&B as says who one is: `me`, of the team `us`, with a key of 40 times `a`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            me = {"id": "1", "username": "me", "entity": "me", "name": "", "email": "", "admin": False, "flags": "{}"}
            viewer = {**me, "deletedAt": None, "apiKeys": None, "teams": {"edges": [{"node": {"name": "us"}}]}}
            known = self.headers.get("Authorization") == f"Basic {BASIC_OF_A}"
            refused = {"errors": [{"message": "user is not logged in"}]}
            content = json.dumps({"data": {"viewer": viewer}} if known else refused).encode()
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{found.server_port}"
    found.shutdown()


@pytest.mark.parametrize(
    ("key", "entity", "reached", "line"),
    [
        (None, None, True, "No API key configured"),
        ("b" * 40, None, True, "user is not logged in"),
        ("short", None, True, "40+ characters"),
        ("a" * 40, "them", True, "wandb.entity=them takes no runs of yours: choose one of me, us"),
        ("a" * 40, None, False, "Failed to authenticate"),
    ],
    ids=["no key", "a wrong key", "half a key", "another's entity", "no network"],
)
def test_what_w_and_b_would_refuse_is_refused_before_the_work(
    key: str | None,
    entity: str | None,
    reached: bool,
    line: str,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    own = {"HOME": str(tmp_path), "WANDB_BASE_URL": server if reached else "http://127.0.0.1:9"}
    if key is not None:
        own["WANDB_API_KEY"] = key
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = ["model=smoke", "data.source=made_up", "wandb=online", f"wandb.entity={entity or 'null'}", *places]
    refused = begun(asked, tmp_path / "said", **own)
    refused.join()
    assert refused.exitcode == 1
    said = (tmp_path / "said").read_text().splitlines()[-1]
    assert said.startswith("error: ")
    assert line in said
    assert "wandb=offline, which wandb sync uploads later" in said
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("project", "run_id", "line"),
    [("a/b:c", None, "Invalid project name 'a/b:c'"), ("fine", "a/b", "Run ID cannot contain the characters")],
)
def test_a_name_that_w_and_b_does_not_take_is_one_line_before_the_work(
    project: str, run_id: str | None, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if run_id is not None:
        monkeypatch.setenv("WANDB_RUN_ID", run_id)
    launch.register()
    config = launch.typed(
        launch.composed(["model=smoke", "wandb=offline", f"wandb.project='{project}'", f"paths.runs={tmp_path}"])
    )
    later = [Tracker(config, "a-job").start] if run_id is None else []  # W&B reads the environment once a process
    for refuse in (lambda: tracking.check(config), *later):
        with pytest.raises(UsageError, match=rf"wandb=offline does not work .*{line}.*or set wandb=disabled") as told:
            refuse()
        assert "\n" not in str(told.value)


def test_a_run_goes_on_offline_where_w_and_b_fails_later_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    init = wandb.init

    def failing(*, mode: str, **rest: Any) -> Any:
        if mode == "online":
            raise wandb.errors.CommError("The server is down.")
        return init(mode=mode, **rest)

    monkeypatch.setattr(wandb, "init", failing)
    launch.register()
    config = launch.typed(launch.composed(["model=smoke", "wandb=online", f"paths.runs={tmp_path}"]))
    with Tracker(config, "a-job") as tracker:
        tracker.start()
        tracker.log({"step": 1, "train/loss": 4.0})
    said = capsys.readouterr().err
    assert "note: W&B did not take a-job (CommError: The server is down.): this run goes on offline" in said
    assert f"wandb sync {tmp_path}/wandb/offline-run-*" in said
    history = [values(message.history.item) for message in finished(tmp_path) if message.HasField("history")]
    assert [row["train/loss"] for row in history if "train/loss" in row] == [4.0]
