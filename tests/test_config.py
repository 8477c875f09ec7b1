"""Every choice composes, and bad input is refused in one clear line before anything is computed."""

from pathlib import Path

import pytest

from position_interpolation.app import launch
from position_interpolation.settings import derived
from position_interpolation.settings.errors import UsageError
from position_interpolation.tasks.perplexity import config as perplexity_config

OPTIONS = sorted(
    f"{path.parent.name}={path.stem}" for path in launch.CONF.glob("*/*.yaml") if path.parent.name != "task"
)
TASKS = sorted(path.stem for path in launch.CONF.glob("task/*.yaml"))
FOLDERS = {"export", "tokenizer"}  # tasks that must be told where to write


@pytest.fixture(autouse=True)
def registered() -> None:
    launch.register()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_group_option_composes(option: str) -> None:
    extras = {"context=x1": ["method=none"], "model=path": ["model.window=64"], "model=hub": ["model.window=64"]}.get(
        option, []
    )
    launch.typed(launch.composed([option, *extras]))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_composes(task: str) -> None:
    extras = ["task.folder=somewhere"] if task in FOLDERS else []
    launch.typed(launch.composed([f"task={task}", *extras]))


def test_an_experiment_sweeps_over_all_combinations() -> None:
    jobs = launch.jobs(["experiment=quickstart"])
    extensions = {overrides[0] for overrides in jobs}
    assert extensions == {
        "extension=none", "extension=extrapolation_x1", "extension=extrapolation_x4", "extension=pi_x4_untuned",
        "extension=pi_x4",
    }  # fmt: skip
    assert len(jobs) == 2 * len(extensions)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train.stpes=3"], "there is no key 'train.stpes'; did you mean 'train.steps'?"),
        (
            ["train.mixture={books: 0.5, bible: 0.5}"],
            "there is no key 'train.mixture.bible': expected a corpus of conf/data or recall; ++train",
        ),
        (["train.steps=many"], "could not be converted to Integer"),
        (["method=pii"], "there is no method=pii: choose one of "),
        (["method=pii"], "; did you mean 'pi'?"),
        (["context=4"], "write context=x4, not context=4"),
        (["train=tune_long", "train.batch_size=8"], "add train.step_windows=null"),
        (["train=tune_long", "train.step_windows=6"], "6 windows of 256 tokens do not divide into sequences of 1024"),
        (["task.corpora=books"], "did you mean 'task.corpus'?"),
        (["experiment=quickstar"], "did you mean 'quickstart'?"),
        (["context.window=300"], "300 is not a multiple of the base's window 256"),
        (["task.windows=[300]"], "expected multiples or whole parts of the base's window 256"),
        (["task.stride=256"], "below every window"),
        (["task.windows=[32]"], "task.stride=32 must be at least 1 and below every window"),
        (["method=extrapolation", "train=untuned"], "untuned is the base itself"),
        (["context=x1"], "factor 1 is the base itself"),
        (["method=pi", "method.options.slow=2"], "expected an option that conf/method/<method>.yaml lists"),
        (["method=yarn", "method.options.fast=0.5"], "fast=0.5: expected ramp index"),
        (["train.mixture=null", "train.steps=-1"], "train"),
        (["data=local"], "set data.root=<directory>"),
        (["model=path", "model.location='~nobody-of-this-name/x'"], "no model in ~nobody-of-this-name/x: expected a"),
        (["data=local", "data.root=/nowhere"], "no file /nowhere/pg19/test.jsonl.gz"),
        (["data=own", "data.root=."], "measured by task=own_text data=own data.root=<folder>: set all three"),
        (["task=own_text"], "measured by task=own_text data=own data.root=<folder>: set all three"),
        (["task.corpus=pg20"], "corpus 'pg20' is not in data=embedded"),
        (["task.protocols=[tokens]"], "choose one of token, window"),
        (["task=passkey", "task.threshold=20"], "expected above 0, at most 1"),
        (["task=passkey", "task.match=keys"], "task.match=keys is not known: choose one of key, strict, number"),
        (["task=passkey", "task.lengths=[0.5,1.5]"], "expected shares of the window, above 0 and at most 1"),
        (["task=passkey", "task.lengths=[]"], "expected shares of the window, above 0 and at most 1"),
        (["task=passkey", "task.lengths=[0.3]"], "32 distances do not divide a window of 307"),
        (["train.schedule=cosine"], "choose one of constant, wsd"),
        (["train.optimizer=sgd"], "choose one of adamw, muon"),
        (["train.beta2=1"], "train.beta2=1.0 makes no sense: expected a number below 1"),
        (["task.ids=[a,a]"], "names a document twice"),
        (["task=export"], "task.folder is not set: write task.folder=<value>"),
        (["task=export", "task.folder=Makefile"], "is a file: expected a folder"),
        (["task=tokenizer", "task.folder=Makefile"], "is a file: expected a folder"),
        (["data.corpora.pg19.part=tset"], "part=tset is not known: choose one of all, train, test"),
        (["data.corpora.pg19.collection=vulgate"], "choose one of king_james, sympy_sources"),
        (["task.documents=0"], "expected a number of at least 1"),
        (["task.bootstrap=100000000000"], "task.bootstrap=100000000000 makes no sense: expected at most 100000"),
        (["task.window_factors=[nan]"], "task.window_factors=[nan] makes no sense"),
        (["task.window_factors=[1e9]"], "no evaluation window fits into"),
        (["train.steps=1000000000000"], "train.steps=1000000000000 makes no sense: expected at most"),
        (["train.warmup_start=5"], "train.warmup_start=5.0 makes no sense: expected at most 1"),
        (["compute.threads=100000"], "compute.threads=100000 makes no sense"),
        (["compute.context_parallel=2"], "compute.context_parallel=2 processes cannot share a training window"),
        (["context.factor=nan"], "context.factor=nan makes no sense"),
        (["train.learning_rate=-1"], "train.learning_rate=-1.0 makes no sense"),
        (["train.save_every=0"], "expected a number of at least 1"),
        (["train.mixture.books=-1"], "expected shares of at least 0"),
        (["train.mixture={books: 1}"], "sum to 1; what is given is added to the recipe's own"),
        (["+train.mixture.pg19=0.4", "train.mixture.books=0.2"], "train.mixture has pg19, on which task=pg19"),
        (["train.checkpoints=[-5]"], "expected numbers of at least 1"),
        (["seed=-1"], "seed=-1 makes no sense: expected 0 to"),
        (["experiment_name=../elsewhere"], "expected letters, digits and _ . - alone"),
        (["experiment_name=."], "expected letters, digits and _ . - alone"),
        (["model.rung=''"], "expected letters, digits and _ . - alone"),
        (["task.name=rotation"], "what pages know another task by: choose a name of your own, or task=rotation"),
        (["paths.results=''"], "paths.results is empty"),
        (["modle=tiny"], "there is no key 'modle'; did you mean 'model'?"),
        (["+traim=3"], "there is no key 'traim'; did you mean 'train'?"),
        (["+train.learningrate=3"], "there is no key 'train.learningrate'; did you mean 'train.learning_rate'?"),
        (["data.source=hub"], "choose data=hub, not data.source=hub"),
        (["compute.dtype=int8"], "choose one of auto, float32, bfloat16"),
        (["compute.threads=0"], "expected a number of at least 1"),
        (["task.protocols=[]"], "task.protocols is empty"),
        (["task.window_factors=[0]"], "expected multiples or whole parts of the base's window 256"),
        (["task=pg19_short", "task.truncate_factor=2"], "fill no window of 1024"),
        (["task=passkey", "task.distances=31"], "31 distances do not divide a window of 1024"),
        (["task=positions", "task.block=1"], "expected a number of at least 2"),
        (["context=x2,x4"], "context=x2,x4 is a sweep: add --multirun"),
        (["model.source=path", "model.location=/nowhere"], "no model in /nowhere"),
        (["train.resume_from=/nowhere"], "is no checkpoint"),
        (["data.corpora.pg19.documents=-1"], "pg19.documents=-1 makes no sense: expected a number of at least 1"),
        (["task=export", "task.folder=new", "task.dtype=int4"], "choose one of float32, float16, bfloat16"),
        (["model=smoke", "model.architecture.num_attention_heads=3"], "does not divide into 3 heads of even size"),
        (["model=smoke", "model.architecture.num_hidden_layers=0"], "num_hidden_layers=0 makes no sense"),
        (
            ["model=smoke", "model.architecture.num_attention_heads=4", "model.architecture.num_key_value_heads=3"],
            "3 key-value heads do not divide 4 heads",
        ),
        (["task=export", "task.folder=''"], "task.folder is empty"),
        (["task=export", "task.folder=conf"], "holds other files: expected a new or empty folder, or an earlier"),
        (["task.name=../elsewhere"], "task.name='../elsewhere' names files"),
        (["model.name=a/b"], "model.name='a/b' names files"),
        (["task.name='heldout@clip=1'"], "task.name='heldout@clip=1' names files"),
        (["varied=[train.klip]"], "varied names 'train.klip', and there is no such key"),
        (["varied=[train]"], "varied names 'train', which holds more than one value"),
        (["varied=[train.mixture]"], "varied names 'train.mixture', which holds more than one value"),
        (["varied=[train.mixture.boks]"], "varied names 'train.mixture.boks', and there is no such key"),
        (["model=tiny_at"], "model.base_tokens=0 makes no sense: expected a number of at least 1"),
        (["data.root=/anywhere"], "data.root=/anywhere is read by data=own and data=local alone"),
        (["extension=pi_x4", "method=none"], "method beside extension"),
        (["experiment=quickstart", "context.factor=2"], "context.factor beside extension"),
        (["context.factor=1e9"], "context.factor=1000000000.0 makes no sense: expected at most 4096"),
        (["model=smoke", "model.architecture.rope_theta=nan"], "rope_theta=nan makes no sense"),
        (["paths.runs=/proc/nowhere"], "/proc/nowhere cannot be made"),
        (["task=plan", "compute.context_parallel=3"], "compute.context_parallel=3 processes cannot share"),
        (["=3"], "'=3' sets nothing: expected key=value"),
        (["method=3"], "a group's choice is a word: write context=x4"),
    ],
)
def test_bad_input_is_one_clear_line(overrides: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as refused:
        launch.checked(overrides)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_torchrun_did_not_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "abc")
    with pytest.raises(UsageError, match="WORLD_SIZE=abc in the environment: expected a number"):
        launch.checked(["context=x4"])


def test_a_corpus_with_no_share_is_neither_wanted_nor_read() -> None:
    """As conf/data/hub.yaml has it for Table 5's other text; data=embedded has no Pile."""
    asked = ["model=llama_7b", "train=paper", "task=passkey", "context=x4"]
    with pytest.raises(UsageError, match="corpus 'pile' is not in data=embedded"):
        launch.checked(asked)
    (config,) = launch.checked([*asked, "++train.mixture={pile: 0, books: 1}"])
    assert config.train.mixture == {"books": 1.0}


def test_a_job_of_a_sweep_that_cannot_run_stops_the_sweep_before_its_first_job() -> None:
    with pytest.raises(UsageError, match="factor 1"):
        launch.checked(["--multirun", "context=x2,x1"])


def test_windows_follow_the_models_window_so_that_one_experiment_serves_every_rung() -> None:
    """The paper's 2048, 4096, 8192 and stride 256 become 256, 512, 1024 and 32 on tiny."""
    for model, window in (("tiny", 256), ("llama_7b", 2048)):
        config = launch.typed(launch.composed([f"model={model}", "context=x4"]))
        assert derived.evaluation_windows(config, config.task) == [window, 2 * window, 4 * window]
        assert perplexity_config.stride(config, config.task) == window // 8
        assert derived.treatment(config).window == 4 * window


def test_steps_given_to_an_experiment_do_not_tune_its_untuned_rows() -> None:
    config = launch.typed(launch.composed(["extension=pi_x4_untuned", "train.steps=50"]))
    assert derived.treatment(config) == derived.Treatment("pi", 4.0, 1024, 0)


def test_none_is_the_base_itself_whatever_the_context() -> None:
    config = launch.typed(launch.composed(["method=none", "context=x4", "train.steps=100"]))
    assert derived.treatment(config) == derived.Treatment("none", 1.0, 256, 0)
    assert derived.evaluation_windows(config, config.task) == [256, 512, 1024]


@pytest.mark.parametrize(("context", "expected"), [("x1", 16), ("x4", 4), ("x8", 2), ("x16", 1)])
def test_every_factor_reads_as_many_tokens_a_step(context: str, expected: int) -> None:
    launch.register()
    config = launch.typed(launch.composed(["train=tune_long", "method=extrapolation", f"context={context}"]))
    assert config.train.batch_size == expected


def test_a_damaged_config_json_is_not_mended_by_stating_the_window(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", ')
    with pytest.raises(UsageError, match=r"config.json cannot be read \(JSONDecodeError.* model.location$"):
        launch.checked(["model=path", f"model.location={tmp_path}"])
