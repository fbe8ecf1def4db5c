"""Are memory and headroom true? Models whose answer is known beforehand.

Printed: the peak of a model that holds 500 MB during each call (target: within 5 %), and the headroom of a pure matrix
product and of a pure copy (target: 1.0 to 1.2, since there is nothing left to win).

Run it with ``python benchmarks/limits.py``.
"""

from __future__ import annotations

import torch
from torch import nn

import optkit

HELD_BYTES = 500_000_000


class Hungry(nn.Module):
    """Holds 500 MB during each call."""

    def forward(self, x):
        return x + torch.zeros(HELD_BYTES // 4).add_(1)[0]


class Product(nn.Module):
    """A matrix product and nothing else."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2048, 2048))

    def forward(self, x):
        return x @ self.weight


class Moves(nn.Module):
    """Copies into a buffer: a new tensor each time would measure how the system hands out memory."""

    def __init__(self):
        super().__init__()
        self.register_buffer("target", torch.empty(16_000_000), persistent=False)

    def forward(self, x):
        return self.target.copy_(x)


def main() -> None:
    eager = optkit.compare(Hungry(), torch.randn(4), ["eager"], budget_s=10, rounds=(5, 5)).baseline
    off = eager.peak_memory_bytes / HELD_BYTES - 1
    print(f"holds 500 MB: peak {eager.peak_memory_bytes / 1e6:.1f} MB, {off:+.1%} (target: within 5 %)")
    for name, model, inputs in (
        ("matrix product", Product(), torch.randn(2048, 2048)),
        ("copy", Moves(), torch.randn(16_000_000)),
    ):
        comparison = optkit.compare(model, inputs, ["eager"], budget_s=20, rounds=(10, 10))
        said = comparison.baseline.headroom
        shown = "unknown" if said is None else f"{said:.2f}"
        print(f"{name}: headroom {shown} (target: 1.0 to 1.2). {comparison.answer()}")


if __name__ == "__main__":
    main()
