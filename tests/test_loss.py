"""The loss worked out in parts, its gradients with it, is the textbook one, whatever is left out of it."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from position_interpolation.tuning.loss import IGNORED, LOGIT_ROWS, total_loss

SIZE, VOCABULARY = 16, 97
BFLOAT16 = 0.01  # 2^-9 of rounding in states, head, logits and probabilities


def inputs(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States, head and targets, of which every seventh is left out."""
    draws = torch.Generator().manual_seed(seed)
    hidden, weight = torch.randn(rows, SIZE, generator=draws), torch.randn(VOCABULARY, SIZE, generator=draws)
    targets = torch.randint(VOCABULARY, (rows,), generator=draws)
    targets[::7] = IGNORED
    return hidden.requires_grad_(), weight.requires_grad_(), targets


Found = tuple[float, torch.Tensor, torch.Tensor]


def exact(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> Found:
    """Loss and gradients with all logits at once, in float64."""
    states, head = (each.detach().double().requires_grad_() for each in (hidden, weight))
    loss = cross_entropy(states @ head.t(), targets, ignore_index=IGNORED, reduction="sum")
    return loss.item(), *torch.autograd.grad(loss, (states, head))


def distance(ours: torch.Tensor, other: torch.Tensor) -> float:
    """Relative error over the whole tensor."""
    return float((ours.double() - other).norm() / other.norm())


@pytest.mark.parametrize("rows", [2, LOGIT_ROWS, 2 * LOGIT_ROWS + 5])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.bfloat16, BFLOAT16)])
def test_loss_and_gradients_are_those_of_all_logits_in_float64(
    monkeypatch: pytest.MonkeyPatch, rows: int, dtype: torch.dtype, close: float
) -> None:
    monkeypatch.setattr(
        "position_interpolation.tuning.loss.TOKENS", VOCABULARY // 2
    )  # parts of the vocabulary, one a rest
    hidden, weight, targets = inputs(rows)
    expected, of_hidden, of_weight = exact(hidden, weight, targets)
    loss = total_loss(hidden, weight, targets, dtype)
    (loss / 3).backward()

    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=close)
    assert hidden.grad is not None
    assert weight.grad is not None
    assert distance(3 * hidden.grad, of_hidden) < close
    assert distance(3 * weight.grad, of_weight) < close


def test_in_bfloat16_the_sum_is_closer_than_any_one_loss() -> None:
    """Roundings of logits and probabilities go both ways, and cancel over many tokens."""
    hidden, weight, targets = (each.detach() for each in inputs(3000))
    hidden, weight = hidden.bfloat16().float(), weight.bfloat16().float()  # so that only the products round
    found = total_loss(hidden, weight, targets, torch.bfloat16).item()

    assert found == pytest.approx(exact(hidden, weight, targets)[0], rel=5e-4)


def test_what_is_nearly_certain_keeps_its_gradient_in_bfloat16() -> None:
    """1 - p is not read off a p that bfloat16 rounds to 1: as close as a float32 loss on the same products."""
    draws = torch.Generator().manual_seed(0)
    weight = torch.randn(VOCABULARY, 64, generator=draws) / 8
    targets = torch.randint(VOCABULARY, (500,), generator=draws)
    hidden = 12 * weight[targets] + torch.randn(500, 64, generator=draws) / 5
    states, head = (each.bfloat16().float().requires_grad_() for each in (hidden, weight))
    expected, of_hidden, of_weight = exact(states, head, targets)
    assert expected / 500 < 0.02  # nats

    ours = total_loss(states, head, targets, torch.bfloat16)
    plain = cross_entropy((states.bfloat16() @ head.bfloat16().t()).float(), targets, reduction="sum")
    found, usual = (torch.autograd.grad(loss, (states, head)) for loss in (ours, plain))
    assert ours.item() == pytest.approx(expected, rel=0.005)
    for mine, other, correct in zip(found, usual, (of_hidden, of_weight), strict=True):
        assert distance(mine, correct) < 1.1 * distance(other, correct)


def test_what_is_left_out_has_no_gradient_and_gives_none() -> None:
    hidden, weight, targets = inputs(70)
    total_loss(hidden, weight, targets, torch.float32).backward()
    counted = targets != IGNORED
    assert hidden.grad is not None
    assert weight.grad is not None
    assert not hidden.grad[~counted].any()

    alone, head, rest = hidden.detach()[counted].requires_grad_(), weight.detach().requires_grad_(), targets[counted]
    total_loss(alone, head, rest, torch.float32).backward()
    assert head.grad is not None
    torch.testing.assert_close(head.grad, weight.grad)


def test_nothing_that_counts_is_a_loss_of_nothing() -> None:
    hidden, weight, _ = inputs(5)
    loss = total_loss(hidden, weight, torch.full((5,), IGNORED), torch.float32)
    loss.backward()

    assert loss.item() == 0
    assert weight.grad is not None
    assert not weight.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_hopeless_token_counts_87_nats_and_is_corrected_in_full(dtype: torch.dtype) -> None:
    weight = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    hidden = torch.tensor([[100.0]], requires_grad=True)
    loss = total_loss(hidden, weight, torch.tensor([1]), dtype)  # log-odds of 200
    loss.backward()

    assert loss.item() == pytest.approx(87.3, abs=0.1)
    assert hidden.grad is not None
    assert hidden.grad.item() == pytest.approx(2)


def test_a_loss_that_is_no_number_is_seen() -> None:
    hidden, weight, targets = inputs(5)
    broken = hidden.detach().clone()
    broken[3] = float("nan")

    assert total_loss(broken, weight, targets, torch.float32).isnan()
