"""ROUGE of summaries against references, times 100 as the paper prints it.

The paper does not say whether its ROUGE-L takes a summary whole or sentence by sentence, so both are measured. The
scores are F-measures with the stemmer; `rougeLsum` takes lines for sentences.
"""

import importlib.util
from importlib.metadata import version

from position_interpolation.evidence.select import ROUGES as VARIANTS
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import ASSETS

METRIC = ASSETS / "rouge"
PACKAGES = {"evaluate": "evaluate", "rouge_score": "rouge-score"}


def require() -> None:
    """Refuse ROUGE where a package that computes it is missing."""
    gone = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if gone:
        raise UsageError(f"ROUGE needs the packages {', '.join(PACKAGES.values())}: run pip install {' '.join(gone)}")


def scores(predictions: list[str], references: list[str]) -> dict[str, list[float]]:
    """Each variant's F-measure x 100 of every prediction against its reference."""
    import evaluate

    metric = evaluate.load(str(METRIC), keep_in_memory=True)
    found = metric.compute(predictions=predictions, references=references)
    return {variant: [100 * score for score in found[variant]] for variant in VARIANTS}


def implementation() -> str:
    """What decides a score beside the texts: a part of signatures."""
    return f"rouge-score {version('rouge-score')}, F-measure, stemmed, Unicode words"
