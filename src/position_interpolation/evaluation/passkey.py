"""Passkey retrieval measured on an extension (Table 4)."""

from collections.abc import Iterator

from position_interpolation import compute, settings
from position_interpolation.evaluation.measurement import Measured, Measurement, common
from position_interpolation.extension import Prepared
from position_interpolation.intervals import Estimate
from position_interpolation.progress import Progress
from position_interpolation.task_config import PasskeyTask
from position_interpolation.tasks import passkey


def retrieval(prepared: Prepared, task: PasskeyTask) -> Iterator[Measurement]:
    """Retrieval at every distance, and k_max (Table 4)."""
    config = prepared.config
    window = task.window or settings.reach(config)
    # The verdicts of both modes agree, so `generate` is no part of the signature.
    shape = {
        "passkey": 4, "window": window, "distances": task.distances, "trials": task.trials,
        "digits": task.digits, "threshold": task.threshold, "seed": config.seed,
    }  # fmt: skip

    def measure() -> list[Measured]:
        trials = passkey.probes(prepared.tokenizer, window, task.distances, task.trials, task.digits, config.seed)
        model = prepared.model  # tuned, if need be, before the bar starts
        with Progress(f"passkey at {window}", sum(len(probe.prompt) for probe in trials), "tokens") as bar:
            hits = passkey.verdicts(model, trials, compute.tokens_per_forward(config.compute), task.generate, bar)
        wins = passkey.successes(trials, hits)
        data = {"name": "passkey", "source": "generated", "sha256": passkey.fingerprint(trials), "ids": None}
        length = len(trials[0].prompt)

        def measured(metric: str, estimate: Estimate, count: int) -> Measured:
            return Measured(metric, estimate, data, count, count * length, window)

        found = [
            measured(f"success_at_{k}", passkey.wilson(won, task.trials), task.trials)
            for k, won in sorted(wins.items())
        ]
        found.append(measured("success", passkey.wilson(sum(hits), len(hits)), len(hits)))
        built = [probe.distance for probe in trials]
        found.append(measured("nearest_key", Estimate(min(built), None, None), len(hits)))
        found.append(measured("farthest_key", Estimate(max(built), None, None), len(hits)))
        found.append(measured("k_max", passkey.k_max(wins, task.trials, task.threshold), len(hits)))
        return found

    yield Measurement({**common(prepared, None), **shape}, measure)
