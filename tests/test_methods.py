"""Every method against float64, on the model that is built, saved, exported and loaded again."""

import copy
import dataclasses
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from transformers import AutoModelForCausalLM, LlamaConfig

from position_interpolation.models import export, extending, loading, methods, rope
from position_interpolation.models.methods import METHODS
from position_interpolation.models.rope import Geometry, Rotation
from position_interpolation.settings.errors import UsageError
from position_interpolation.settings.places import CONF
from position_interpolation.settings.schema import Method, Model

D64 = Geometry(10_000.0, 64, 256)
GEOMETRY = Geometry(10_000.0, 8, 64)
CACHE = Path("unused")
CHANGING = [name for name, function in METHODS.items() if function is not methods.unchanged]


def rotary(model: Any) -> Any:
    return model.model.rotary_emb


# Frequencies


@pytest.mark.parametrize(
    ("method", "at_8", "at_12", "at_24", "total"),
    [
        (Method("none"), 0.1, 0.0316227766, 0.001, 3.997908234),
        (Method("pi"), 0.025, 0.00790569415, 0.00025, 0.9994770586),
        (Method("ntk"), 0.06992454992, 0.01849032393, 0.0003418920789, 3.534712562),
        (Method("by_parts"), 0.05384615385, 0.009730085108, 0.00025, 3.322984535),
        (Method("yarn"), 0.05384615385, 0.009730085108, 0.00025, 3.322984535),
        (Method("yarn", options={"truncate": False}), 0.05539863663, 0.009639942851, 0.00025, 3.42666289),
        (Method("yarn", options={"ramp": "rotations"}), 0.03243798357, 0.008126360816, 0.00025, 2.944519909),
        (Method("llama3"), 0.1, 0.01018591636, 0.00025, 3.839870642),
        (Method("abf"), 0.03760603093, 0.007292664737, 5.318295897e-5, 2.972656597),
    ],
)  # fmt: skip
def test_frequencies_worked_out_elsewhere(
    method: Method, at_8: float, at_12: float, at_24: float, total: float
) -> None:
    """d = 64, theta = 10 000, L = 256, s = 4; by hand, and by transformers where it has the type."""
    found = methods.rotation(method, D64, 4.0).frequencies
    np.testing.assert_allclose(found[[8, 12, 24]], [at_8, at_12, at_24], rtol=1e-9)
    assert found.sum() == pytest.approx(total, rel=1e-9)


def test_by_parts_one_frequency_by_hand() -> None:
    """i = 8 turns 0.1 * 256 / 2 pi = 4.07 times. The ramp's ends: floor(0.84) = 0, ceil(12.88) = 13."""
    ends = [64 * math.log(256 / (2 * math.pi * turns)) / (2 * math.log(10_000)) for turns in (32, 1)]
    assert (math.floor(ends[0]), math.ceil(ends[1])) == (0, 13)
    share = 8 / 13
    assert methods.by_parts(D64, 4.0).frequencies[8] == pytest.approx(0.1 * (1 - share) + 0.025 * share, rel=1e-12)


def test_ntk_divides_the_slowest_frequency_by_s_and_leaves_the_fastest() -> None:
    found, own = methods.ntk(D64, 4.0).frequencies, D64.frequencies
    assert (own / found)[[0, -1]] == pytest.approx([1, 4])
    np.testing.assert_array_equal(methods.ntk(D64, 4.0, stretch=8).frequencies, methods.ntk(D64, 8.0).frequencies)


def test_longrope_takes_a_divisor_for_every_frequency_or_a_few_to_draw_a_line_through() -> None:
    given = np.linspace(1, 4, 32)
    found = methods.longrope(D64, 4.0, factors=given.tolist()).frequencies
    np.testing.assert_allclose(D64.frequencies / found, given, rtol=1e-12)
    few = D64.frequencies / methods.longrope(D64, 4.0, factors=[1, 1, 4]).frequencies
    assert few[[0, 15, 31]] == pytest.approx([1, 1, 4])
    assert few[23] == pytest.approx(4 ** ((23 / 31 - 0.5) * 2))


def test_longropes_rises_are_ways_from_the_divisor_before_to_s() -> None:
    divided = D64.frequencies / methods.longrope(D64, 16.0, rises=[50, 0, 50]).frequencies
    assert divided[[0, -1]] == pytest.approx([4, 8])  # half the way from 1 to 16, none, half the way from 4 to 16
    for rises, same in (([100, 0, 0, 100], methods.interpolated), ([0, 25, 100 / 3, 50, 100], methods.ntk)):
        found = methods.longrope(D64, 16.0, rises=rises).frequencies
        np.testing.assert_allclose(found, same(D64, 16.0).frequencies, rtol=1e-12)


@given(st.lists(st.floats(-50, 150), min_size=2, max_size=32), st.floats(1, 64))
def test_whatever_the_rises_divisors_never_fall_and_never_pass_s(rises: list[float], factor: float) -> None:
    divisors = D64.frequencies / methods.longrope(D64, factor, rises=rises).frequencies
    assert (np.diff(divisors) >= -1e-9 * factor).all()
    assert 1 - 1e-9 <= divisors.min() <= divisors.max() <= factor * (1 + 1e-9)


def test_p_rope_stops_the_slow_frequencies_and_bands_interpolates_a_few() -> None:
    assert (methods.p_rope(D64, 4.0, kept=0.25).frequencies > 0).sum() == 8
    assert not methods.p_rope(D64, 4.0, kept=0.0).frequencies.any()
    divided = D64.frequencies / methods.bands(D64, 4.0, first=3, last=5).frequencies
    assert divided.tolist() == [1] * 3 + [4] * 3 + [1] * 26
    np.testing.assert_array_equal(methods.bands(D64, 4.0).frequencies, methods.interpolated(D64, 4.0).frequencies)


@pytest.mark.parametrize(
    ("method", "scaling"),
    [
        (Method("pi"), 1.0),
        (Method("yarn"), 1.138629436112),
        (Method("longrope"), 1.118033988750),
        (Method("pi", attention_slope=0.1), 1.138629436112),
        (Method("yarn", attention_slope=0.0), 1.0),
        (Method("mine", function="llama3", attention_slope=0.2), 1 + 0.2 * math.log(4)),
    ],
)
def test_attention_scaling_is_the_methods_own_or_that_of_the_slope(method: Method, scaling: float) -> None:
    assert methods.rotation(method, D64, 4.0).attention_scaling == pytest.approx(scaling, rel=1e-12)


def test_an_option_without_an_annotation_has_the_type_of_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, Any] = {"Rotation": Rotation}
    exec("def mine(base, factor, *, slope=0.1): return Rotation(base.frequencies, 1 + slope)", space)
    monkeypatch.setitem(METHODS, "mine", space["mine"])
    assert methods.rotation(Method("mine", options={"slope": 0.2}), D64, 4.0).attention_scaling == 1.2
    with pytest.raises(UsageError, match="slope=steep: expected float"):
        methods.rotation(Method("mine", options={"slope": "steep"}), D64, 4.0)


def test_the_options_of_a_methods_file_are_its_functions_defaults() -> None:
    """A file shows what can be set; the numbers stand in both places."""
    for path in sorted((CONF / "method").glob("*.yaml")):
        written = OmegaConf.load(path)
        if "options" not in written or "defaults" in written:
            continue
        options = inspect.signature(METHODS[path.stem]).parameters.values()
        assert dict(written.options) == {one.name: one.default for one in options if one.kind is one.KEYWORD_ONLY}


# What reaches the model

EVERY = [
    *(Method(name) for name in CHANGING),
    Method("pi_scaled", function="pi", attention_slope=0.1),
    Method("ntk_scaled", function="ntk", attention_slope=0.1),
    Method("llama3_scaled", function="llama3", attention_slope=0.1),
    Method("scaled", function="extrapolation", attention_slope=0.1),
    Method("drope", function="p_rope", options={"kept": 0.0}),
    Method("yarn_paper", function="yarn", options={"ramp": "rotations"}),
    Method("yarn_whole", function="yarn", options={"truncate": False}),
    Method("bands_few", function="bands", options={"first": 1, "last": 2}),
]


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.name)
def test_a_method_reaches_the_built_the_saved_and_the_exported_model(
    method: Method, build_llama: Callable[..., Any], tokenizer: Any, tmp_path: Path
) -> None:
    """Logits of the exported model are compared in plain transformers, past L, where some rope types would change."""
    model = build_llama(method, 4.0)
    rotation = methods.rotation(method, GEOMETRY, 4.0)
    ids = torch.arange(3, 203).unsqueeze(0)
    export.export(copy.deepcopy(model), tokenizer, tmp_path, "float32")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    for built in (model, loading.load(tmp_path), plain):
        np.testing.assert_allclose(rotary(built).inv_freq.double(), rotation.frequencies, rtol=1e-6, atol=2e-30)
        assert rotary(built).attention_scaling == pytest.approx(rotation.attention_scaling, rel=1e-9)
    with torch.inference_mode():
        ours, theirs = (one(ids, labels=ids).loss for one in (model, plain))
        # The length of a text changes nothing but rounding.
        torch.testing.assert_close(plain(ids).logits[:, :30], plain(ids[:, :30]).logits, rtol=1e-4, atol=1e-4)
    assert float(theirs) == pytest.approx(float(ours), rel=1e-5)


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("pi", "linear"), ("ntk", "default"), ("abf", "default"), ("by_parts", "yarn"), ("yarn", "yarn"),
        ("llama3", "llama3"), ("longrope", "longrope"), ("p_rope", "longrope"),
    ],
)  # fmt: skip
def test_other_readers_are_told_by_the_rope_type_that_says_it(
    method: str, kind: str, random_base: Callable[..., Model]
) -> None:
    assert extending.extended_config(random_base(), CACHE, Method(method), 4.0).rope_parameters["rope_type"] == kind


def test_without_rotation_the_order_of_earlier_tokens_is_seen_by_no_first_layer(
    build_llama: Callable[..., Any],
) -> None:
    """DroPE: attention is a set; a model of one layer that permutes its past writes the same last logits."""
    model = build_llama(Method("drope", function="p_rope", options={"kept": 0.0}), 4.0, num_hidden_layers=1)
    ids = torch.arange(3, 103)
    mixed = torch.cat([ids[:-1].flip(0), ids[-1:]])
    with torch.inference_mode():
        straight, turned = (model(one.unsqueeze(0)).logits[0, -1] for one in (ids, mixed))
    torch.testing.assert_close(straight, turned, rtol=1e-4, atol=1e-4)


def uneven(base: Geometry, factor: float) -> Rotation:
    """Fast frequencies as they are, slow ones interpolated, attention sharpened: no rope type says this."""
    slow = np.arange(base.head_dimension // 2) >= base.head_dimension // 4
    return Rotation(np.where(slow, base.frequencies / factor, base.frequencies), 1.1)


def test_a_model_that_rotates_otherwise_than_its_method_says_is_refused(
    build_llama: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "uneven", uneven)
    model, rotation = build_llama("uneven", 4.0), uneven(GEOMETRY, 4.0)
    rope.check_rotation(model, rotation, "uneven")
    rotary(model).inv_freq[2] *= 1.01
    with pytest.raises(UsageError, match="other frequencies or attention scaling than method=uneven"):
        rope.check_rotation(model, rotation, "uneven")


def test_attention_scaling_multiplies_scores_by_its_square(build_llama: Callable[..., Any]) -> None:
    slope = 0.5 / math.log(2)
    plain, sharpened = build_llama("none"), build_llama(Method("scaled", "extrapolation", attention_slope=slope), 2.0)
    for layer in plain.model.layers:
        with torch.no_grad():
            layer.self_attn.q_proj.weight.mul_(1.5**2)
    ids = torch.arange(3, 60).unsqueeze(0)
    with torch.inference_mode():
        torch.testing.assert_close(sharpened(ids).logits, plain(ids).logits, rtol=1e-4, atol=1e-4)


# Bases that are scaled already


SCALED: list[dict[str, Any]] = [
    {"rope_type": "linear", "factor": 4.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": 4.0, "truncate": False},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {
        "rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [float(i) for i in range(1, 9)],
        "original_max_position_embeddings": 64,
    },
]  # fmt: skip


@pytest.fixture
def scaled_base(tmp_path: Path) -> Callable[[dict[str, Any]], Model]:
    def make(parameters: dict[str, Any]) -> Model:
        config = LlamaConfig(
            hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=64,
            max_position_embeddings=256, rope_parameters={"rope_theta": 50_000.0, **parameters},
        )  # fmt: skip
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
        return Model(name="scaled", rung="smoke", window=256, source="path", location=str(tmp_path))

    return make


@pytest.mark.parametrize("parameters", SCALED, ids=lambda item: f"{item['rope_type']}-{len(item)}")
def test_a_scaled_base_keeps_its_own_rotation_when_its_window_is_declared_longer(
    parameters: dict[str, Any], scaled_base: Callable[..., Model]
) -> None:
    """transformers reads attention scaling and original window off the declared one where they are not written."""
    base = scaled_base(parameters)
    plain = AutoModelForCausalLM.from_pretrained(base.location, dtype=torch.float32)
    ids = torch.arange(200).unsqueeze(0) % 64
    for method, factor in (("none", 1.0), ("extrapolation", 4.0)):
        built = extending.build(base, CACHE, Method(method), factor, seed=0)
        assert rotary(built).attention_scaling == rotary(plain).attention_scaling
        for length in (40, 200):
            with torch.inference_mode():
                torch.testing.assert_close(built(ids[:, :length]).logits, plain(ids[:, :length]).logits)


@pytest.mark.parametrize("method", CHANGING)
@pytest.mark.parametrize("parameters", [SCALED[0], SCALED[3]], ids=lambda item: item["rope_type"])
def test_a_base_that_is_already_scaled_is_refused(
    method: str, parameters: dict[str, Any], scaled_base: Callable[..., Model]
) -> None:
    with pytest.raises(UsageError, match=f"already scaled.*{parameters['rope_type']}.*{method}"):
        extending.extended_config(scaled_base(parameters), CACHE, Method(method), 2.0)


def test_dynamic_scaling_is_the_base_itself_at_its_own_window(scaled_base: Callable[..., Model]) -> None:
    base = scaled_base({"rope_type": "dynamic", "factor": 2.0})
    plain = AutoModelForCausalLM.from_pretrained(base.location, dtype=torch.float32)
    ids = torch.arange(256).unsqueeze(0) % 64
    with torch.inference_mode():
        built = extending.build(base, CACHE, Method("none"), 1.0, seed=0)
        torch.testing.assert_close(built(ids).logits, plain(ids).logits)
        with pytest.raises(UsageError, match="changes with every longer text: read this base at most at its"):
            built(torch.zeros(1, 257, dtype=torch.long))
    with pytest.raises(UsageError, match="takes L' for the base's window"):
        extending.extended_config(base, CACHE, Method("extrapolation"), 2.0)


# What is refused


def test_a_method_cannot_change_the_bases_frequencies_by_accident() -> None:
    """`base.frequencies /= factor` would change a copy that nobody reads."""
    with pytest.raises(ValueError, match="read-only"):
        GEOMETRY.frequencies[2:] /= 4.0


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Method("yarm"), r"method=yarm is not known: choose one of none, extrapolation, pi, ntk"),
        (Method("mine", function="yarm"), r"method.function=yarm is not known"),
        (Method("pi", options={"fast": 32}), r"method.options.fast is no option of pi: it has none"),
        (
            Method("yarn", options={"beta_fast": 32}),
            r"beta_fast is no option of yarn: it has slow, fast, ramp, truncate",
        ),
        (Method("yarn", options={"fast": "32"}), r"method.options.fast=32: expected float"),
        (Method("yarn", options={"truncate": 1}), r"method.options.truncate=1: expected bool"),
        (
            Method("yarn", options={"fast": 0.5}),
            r"slow=1.0, fast=0.5: expected ramp index or rotations, 0 < slow < fast",
        ),
        (Method("llama3", options={"low": 4.0}), r"low=4.0, high=4.0: expected 0 < low < high"),
        (
            Method("longrope", options={"factors": [1.0, 0.0]}),
            r"factors=\[1.0, 0.0\]: expected 2 to 32 numbers.*, above 0",
        ),
        (Method("longrope", options={"factors": [1.0] * 33}), r"expected 2 to 32 numbers, one a frequency at most"),
        (Method("longrope", options={"factors": [True, True]}), r"method.options.factors=.*: expected list"),
        (Method("longrope", options={"rises": [50]}), r"method.options.rises=\[50\]: expected 2 to 32 numbers"),
        (Method("abf", options={"theta": 0.0}), r"method.options.theta=0.0: expected above 1"),
        (Method("ntk", options={"stretch": -3.0}), r"method.options.stretch=-3.0: expected at least 1"),
        (Method("none", function="abf"), r"method=none with method.function=abf would be called what it is not"),
        (Method("none", attention_slope=0.1), r"leave out method.attention_slope, or use method=temperature"),
        (Method("longrope", options={"factors": 4.0}), r"method.options.factors=4.0: expected list"),
        (Method("longrope", options={"rises": [0, 100], "factors": [1, 4]}), r"rises stands in the place of factors"),
        (Method("p_rope", options={"kept": 1.5}), r"kept=1.5: expected a share from 0 to 1"),
        (Method("bands", options={"first": 9, "last": 40}), r"expected 0 <= first <= last <= 31"),
        (Method("bands", options={"first": 1.5}), r"method.options.first=1.5: expected int"),
        (
            Method("ntk", options={"stretch": 1e308}),
            r"method 'ntk' cannot be computed \(OverflowError.*: change method.opt",
        ),
        (Method("pi", attention_slope=-1.0), r"returns attention scaling -0.38.*: expected above 0"),
        (Method("pi", attention_slope=math.nan), r"returns attention scaling nan: expected above 0"),
        (Method("pi", attention_slope=1e30), r"attention scaling 1.38629e\+30: expected above 0 and at most 100"),
    ],
)
def test_a_method_that_cannot_be_is_refused_in_one_line(method: Method, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        methods.rotation(method, D64, 4.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Rotation(np.ones(3)), "must return 4 finite frequencies"),
        (Rotation(np.array([1.0, 0.1, 0.01, -0.1])), "finite frequencies of at least 0"),
        (Rotation(np.array([1.0, 0.1, 0.01, np.inf])), "finite frequencies of at least 0"),
        (Rotation(np.ones(4), 0.0), "attention scaling 0: expected above 0"),
    ],
)
def test_a_method_that_returns_nonsense_is_refused(
    wrong: Rotation, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "wrong", lambda base, factor: wrong)
    with pytest.raises(UsageError, match=message):
        methods.rotation(Method("wrong"), GEOMETRY, 2.0)


@pytest.mark.parametrize(
    ("method", "factor"),
    [
        (Method("pi"), 1.0),
        (Method("yarn"), 1.0),
        (Method("temperature", function="extrapolation", attention_slope=0.1), 1.0),
        (Method("p_rope", options={"kept": 1.0}), 2.0),
    ],
)
def test_what_is_the_base_itself_is_refused_under_another_name(
    method: Method, factor: float, random_base: Callable[..., Model]
) -> None:
    with pytest.raises(UsageError, match=f"with factor {factor:g} is the base itself"):
        extending.extended_config(random_base(), CACHE, method, factor)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "original_max_position_embeddings",
            16,
            "original_max_position_embeddings=16, and L is 64: set model.window=16",
        ),
        ("rope_theta", "40", "rope_theta=40: expected a number above 1"),
        ("rope_theta", math.nan, "rope_theta=nan: expected a number above 1"),
    ],
)
def test_a_base_whose_configuration_says_otherwise_is_refused(
    key: str, value: Any, message: str, monkeypatch: pytest.MonkeyPatch, random_base: Callable[..., Model]
) -> None:
    base = random_base()
    found = extending.base_config(base, CACHE)
    if key == "rope_theta":
        found.rope_parameters[key] = value
    else:
        setattr(found, key, value)
    monkeypatch.setattr(extending, "base_config", lambda *_: found)
    with pytest.raises(UsageError, match=message):
        extending.extended_config(dataclasses.replace(base, window=64), CACHE, Method("yarn"), 2.0)


def test_divisors_too_large_for_a_float_are_carried_as_standing_still() -> None:
    rotation = methods.rotation(Method("longrope", options={"factors": [1e300, 1e300]}), D64, 4.0)
    found = rope.rope_parameters({"rope_theta": D64.theta}, rotation, D64, 4.0)
    assert set(found["long_factor"]) == {rope.STILL}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (Method("yarn"), "yarn"), (Method("p_rope", options={"kept": 0.0}), "longrope"),
        (Method("scaled", function="extrapolation", attention_slope=0.1), "longrope"),
    ],
)  # fmt: skip
def test_heads_of_a_single_frequency_are_told_as_they_rotate(method: Method, kind: str) -> None:
    base = Geometry(10_000.0, 2, 64)
    found = rope.rope_parameters({"rope_theta": base.theta}, methods.rotation(method, base, 4.0), base, 4.0)
    assert (found["rope_type"], found["rope_theta"]) == (kind, base.theta)
