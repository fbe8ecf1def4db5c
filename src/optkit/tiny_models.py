"""Two models so small that Inductor compiles them in seconds on two cores. Imports torch: for workers only."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TinyCNN(nn.Module):
    """Three convolutions and a classifier for images of shape (batch, 3, 32, 32); returns (batch, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score a class."""
        scores: Tensor = self.head(self.body(x))
        return scores


class TinyTransformer(nn.Module):
    """One attention block over tokens; takes its inputs by keyword and returns a tuple.

    ``tokens`` (batch, length) of int64 and ``mask`` (batch, length) of bool (True where a token counts) give
    ``(scores, pooled)`` of shapes (batch, length, 100) and (batch, 64).
    """

    def __init__(self, width: int = 64, vocabulary: int = 100, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(vocabulary, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores for each token, and the mean of the hidden states."""
        hidden = self.embed(tokens)
        batch, length, width = hidden.shape
        qkv = self.qkv(self.norms[0](hidden)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        hidden = hidden + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        hidden = hidden + self.mlp(self.norms[1](hidden))
        return self.head(hidden), hidden.mean(dim=1)


MODELS = {"tiny_cnn": TinyCNN, "tiny_transformer": TinyTransformer}


def example_inputs(name: str, batch_size: int, shape: tuple[int, ...]) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Return positional and keyword arguments of one call; random, so seed torch first."""
    if name == "tiny_transformer":
        tokens = torch.randint(0, 100, (batch_size, *shape))
        return (), {"tokens": tokens, "mask": torch.ones(batch_size, *shape, dtype=torch.bool)}
    return (torch.randn(batch_size, *shape),), {}
