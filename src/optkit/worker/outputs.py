"""How far outputs are from those expected, in short functions that `optkit.script` also prints into scripts.

A study compares more carefully (`optkit.worker.agreement`). These tell, without optkit, whether what was deployed is
still what was measured.
"""

from __future__ import annotations

import torch


def tensors(value: object) -> list[torch.Tensor]:
    """Return the tensors in a value in order, whatever holds them."""
    if torch.is_tensor(value):
        return [value]
    if hasattr(value, "__dataclass_fields__") and not hasattr(value, "values"):
        value = vars(value)
    if hasattr(value, "values"):
        value = list(value.values())
    return [one for part in value for one in tensors(part)] if isinstance(value, (list, tuple)) else []


def distance(found: object, expected: object) -> float:
    """Return how far tensors are from those expected, relative to the size of these; infinite for another form."""
    pairs, worst = (tensors(found), tensors(expected)), 0.0
    if len(pairs[0]) != len(pairs[1]) or not pairs[1]:
        return float("inf")
    for one, other in zip(*pairs, strict=True):
        a, b = (torch.view_as_real(x) if x.is_complex() else x for x in (one.detach().cpu(), other.detach().cpu()))
        if a.shape != b.shape or a.is_floating_point() != b.is_floating_point():
            return float("inf")
        if not b.is_floating_point() and not torch.equal(a, b):
            return float("inf")
        a, b, finite = a.double(), b.double(), b.isfinite()
        if not torch.equal(a[~finite].nan_to_num(7.0), b[~finite].nan_to_num(7.0)) or a[finite].isnan().any():
            return float("inf")
        off, size = (a - b)[finite].abs(), b[finite].abs()
        if (
            off.numel()
        ):  # the largest, and the root of the mean of squares: one large value must not hide many small ones
            worst = max(
                worst,
                (off.max() / size.max().clamp(min=1e-12)).item(),
                (off.norm() / size.norm().clamp(min=1e-12)).item(),
            )
    return worst


def constants(value: object) -> list[object]:
    """Return what is no tensor in a value, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [one for part in value for one in constants(part)]
    return [] if torch.is_tensor(value) else [value]
