"""Passkey retrieval measured on an extension (Table 4)."""

from collections.abc import Iterator

from position_interpolation.evidence.intervals import Estimate
from position_interpolation.machine import compute
from position_interpolation.machine.progress import Progress
from position_interpolation.settings import derived
from position_interpolation.tasks.measurement import Measured, Measurement, common
from position_interpolation.tasks.passkey import retrieval
from position_interpolation.tasks.passkey.config import PasskeyTask
from position_interpolation.tuning.extension import Prepared


def measurements(prepared: Prepared, task: PasskeyTask) -> Iterator[Measurement]:
    """Retrieval at every distance, and k_max (Table 4)."""
    config = prepared.config
    window = task.window or derived.reach(config)
    # The verdicts of both modes agree, so `generate` is no part of the signature.
    shape = {
        "passkey": 4, "window": window, "distances": task.distances, "trials": task.trials,
        "digits": task.digits, "threshold": task.threshold, "seed": config.seed,
    }  # fmt: skip

    def measure() -> list[Measured]:
        trials = retrieval.probes(prepared.tokenizer, window, task.distances, task.trials, task.digits, config.seed)
        model = prepared.model  # tuned, if need be, before the bar starts
        with Progress(f"passkey at {window}", sum(len(probe.prompt) for probe in trials), "tokens") as bar:
            hits = retrieval.verdicts(model, trials, compute.tokens_per_forward(config.compute), task.generate, bar)
        wins = retrieval.successes(trials, hits)
        data = {"name": "passkey", "source": "generated", "sha256": retrieval.fingerprint(trials), "ids": None}
        length = len(trials[0].prompt)

        def measured(metric: str, estimate: Estimate, count: int) -> Measured:
            return Measured(metric, estimate, data, count, count * length, window)

        found = [
            measured(f"success_at_{k}", retrieval.wilson(won, task.trials), task.trials)
            for k, won in sorted(wins.items())
        ]
        found.append(measured("success", retrieval.wilson(sum(hits), len(hits)), len(hits)))
        built = [probe.distance for probe in trials]
        found.append(measured("nearest_key", Estimate(min(built), None, None), len(hits)))
        found.append(measured("farthest_key", Estimate(max(built), None, None), len(hits)))
        found.append(measured("k_max", retrieval.k_max(wins, task.trials, task.threshold), len(hits)))
        return found

    yield Measurement({**common(prepared, None), **shape}, measure)
