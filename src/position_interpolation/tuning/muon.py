"""The optimiser Muon, for a base that is trained from random weights with little compute; tuning keeps AdamW.

Muon (Jordan et al. 2024, torch.optim.Muon) orthogonalises the updates of weight matrices.
"""

from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer

from position_interpolation.settings.schema import Train


class MuonWithAdamW(Optimizer):
    """Muon for the matrices of the layers, AdamW for embeddings, head and norms, under one state and one schedule."""

    def __init__(self, model: Any, train: Train) -> None:
        layers = {id(weight) for weight in model.model.layers.parameters() if weight.ndim == 2}
        matrices = [weight for weight in model.parameters() if id(weight) in layers]
        others = [weight for weight in model.parameters() if id(weight) not in layers]
        rate, betas = train.learning_rate, (train.beta1, train.beta2)
        # With updates as large as AdamW's, so that one rate serves both.
        muon = Muon(matrices, lr=rate, weight_decay=train.weight_decay, adjust_lr_fn="match_rms_adamw")
        self.optimizers = (muon, AdamW(others, lr=rate, betas=betas, weight_decay=0.0, fused=True))
        super().__init__([group for optimizer in self.optimizers for group in optimizer.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Let Muon and AdamW use this optimiser's groups and state, which schedules and checkpoints change."""
        for optimizer, group in zip(self.optimizers, self.param_groups, strict=True):
            optimizer.param_groups = [group]
            optimizer.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a checkpoint."""
        super().load_state_dict(state_dict)
        self._share()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter."""
        with torch.no_grad():
            for optimizer in self.optimizers:
                optimizer.step()
