"""Which function looks for which claim."""

from collections.abc import Callable, Iterator

from position_interpolation.comparisons.steps import claims as steps
from position_interpolation.evidence.claim import Claim
from position_interpolation.evidence.effects import Evidence
from position_interpolation.evidence.judging import Case, Outcome, outcome
from position_interpolation.tasks.benchmarks import claims as benchmarks
from position_interpolation.tasks.govreport import claims as govreport
from position_interpolation.tasks.passkey import claims as passkey
from position_interpolation.tasks.perplexity import claims as perplexity
from position_interpolation.tasks.theory import claims as theory

# A check takes the evidence, the sizes of LLaMA that the claim is about, and what the claim gives it.
Check = Callable[..., Iterator[Case]]
FUNCTIONS: tuple[Check, ...] = (
    perplexity.extends,
    perplexity.longer_windows_help,
    perplexity.every_doubling_helps,
    perplexity.gain_within_model,
    perplexity.gains_on_one_yardstick,
    perplexity.base_explodes,
    perplexity.extrapolation_gains_less,
    perplexity.extrapolation_gain_at_most,
    perplexity.pi_beats_extrapolation,
    perplexity.short_texts_keep,
    steps.untuned_beats_base,
    steps.untuned_is_low,
    steps.passes_base,
    steps.improves_steadily,
    passkey.passkey_whole_window,
    passkey.passkey_stays,
    passkey.passkey_extrapolation_slow,
    benchmarks.benchmarks_lose_at_most,
    benchmarks.benchmarks_loss_grows,
    benchmarks.benchmarks_tuning_text,
    govreport.govreport,
    theory.bound_ratio,
    theory.eq_7,
    theory.eq_14,
    theory.figure_2,
    theory.figure_5,
)
CHECKS: dict[str, Check] = {function.__name__: function for function in FUNCTIONS}


def judged(claim: Claim, evidence: Evidence) -> Outcome:
    """What one evidence says about one claim."""
    cases = list(CHECKS[claim.check](evidence, claim.sizes, **claim.given))
    # A cell that a table leaves blank was never offered as evidence; one that a rung lacks may still be measured.
    offered = [case for case in cases if case.effect is not None]
    return outcome(offered if evidence.printed and offered else cases)
