"""Compare outputs of two runs, whatever structure they have.

Tolerances are relative to the size of what is compared: 1e-5, which is torch.testing's for numbers of any size, says
nothing of probabilities of 1e-4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from optkit.worker.leaves import Leaf, Leaves, not_compared

Precise = Callable[[], Leaves | None]

SEVERITY = ("equal", "close", "reduced", "different", "inf", "nan", "shape", "dtype", "structure")
"""Every status, from the best to the worst."""
AGREEING = ("equal", "close", "reduced")

TOLERANCES = {
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float32: (1.3e-6, 1e-5),
    torch.float64: (1e-7, 1e-7),
}
"""Relative and absolute tolerance, those of torch.testing; for other dtypes both are 0."""
NUMBER_TOLERANCES = (1e-6, 0.0)
"""Of Python's own floats, which say nothing of the precision they come from."""
FACTOR, HALF_FACTOR, HALF_BITS = 2, 3, 16
"""How many times eager's own distance from fp64 is allowed; more in half precision."""
RMSE_SLACK, MAX_SLACK = 1e-4, 1e-3
"""What is allowed on top, relative to the output's size: on average, and for each element, which an average hides."""
MOST_OF_EAGER = 0.1
"""Where eager itself strays further than this from fp64, relative to the size, fp64 is no yardstick for it."""
SHOWN = 60


@dataclass(frozen=True)
class Agreement:
    """How outputs agree with a reference.

    Attributes
    ----------
    status
        ``equal`` (bit by bit), ``close``, ``reduced`` (as near as eager is in less precision), ``different``, ``nan``,
        ``inf``, ``shape``, ``dtype`` or ``structure``.
    max_abs_error
        The largest over all floats; None where there are none, or where it is not finite.
    cosine
        The smallest cosine similarity of all float leaves.
    top1
        Share of rows whose largest element is at the same place, in the first leaf that has rows.
    where
        Path of the worst leaf; None where all are equal.
    why
        One sentence for the user; empty for what is equal or close.
    """

    status: str
    max_abs_error: float | None = None
    cosine: float | None = None
    top1: float | None = None
    where: str | None = None
    why: str = ""


def compare(found: Leaves, reference: Leaves, precise: Precise | None = None, peer: Precise | None = None) -> Agreement:
    """Compare leaves with those of eager. Whatever the outputs are, it does not raise.

    Parameters
    ----------
    found, reference
        What `flatten` returned.
    precise
        Returns the leaves of the same model in fp64, or None. It is expensive, and asked only where the difference is
        larger than the usual tolerances: the model may well amplify rounding, eager's own included.
    peer
        Returns the leaves of eager in the precision of `found`, where that is less than the reference's; None where it
        is the same.
    """
    if found.keys() != reference.keys():
        return Agreement("structure", why=_other_parts(found, reference))
    if reference and len(unknown := not_compared(reference)) == len(reference):
        why = f"Nothing in its outputs can be compared: {', '.join(unknown)[:SHOWN]}."
        return Agreement("structure", where=next(iter(reference)), why=why)
    exact = cache(precise) if precise is not None else _unknown
    if peer is None:
        leaves = [_compare_leaf(path, found[path], reference[path], exact) for path in reference]
    else:
        peers = peer() or {}
        leaves = [_reduced(path, found[path], reference[path], peers.get(path), exact) for path in reference]
    worst = max(leaves, key=badness, default=Agreement("equal"))
    error = max((leaf.max_abs_error for leaf in leaves if leaf.max_abs_error is not None), default=math.inf)
    return replace(
        worst,
        max_abs_error=error if math.isfinite(error) else None,
        cosine=min((leaf.cosine for leaf in leaves if leaf.cosine is not None), default=None),
        top1=next((leaf.top1 for leaf in leaves if leaf.top1 is not None), None),
    )


def badness(one: Agreement) -> tuple[int, float]:
    """Return what orders agreements from the best to the worst."""
    return SEVERITY.index(one.status), one.max_abs_error or 0.0


def combine(every: Sequence[Agreement]) -> Agreement:
    """Return one agreement for several batches: of everything the worst."""
    errors = [one.max_abs_error for one in every]
    known = [error for error in errors if error is not None]
    return replace(
        max(every, key=badness),
        max_abs_error=max(known) if len(known) == len(errors) else None,
        cosine=min((one.cosine for one in every if one.cosine is not None), default=None),
        top1=min((one.top1 for one in every if one.top1 is not None), default=None),
    )


def repeats(found: list[Leaves], reference: list[Leaves]) -> bool:
    """Whether two runs of the same callable agree; NaN and Inf do where both have them at the same places."""
    pairs = zip(found, reference, strict=True)
    return all(_same_objects(a, b) or compare(_finite(a), _finite(b)).status in AGREEING for a, b in pairs)


def is_finite(leaves: Leaves) -> bool:
    """Whether no float is NaN or infinite."""
    return all(wide is None or bool(wide.isfinite().all()) for wide in map(_wide, leaves.values()))


def _unknown() -> None:
    return None


def _same_objects(found: Leaves, reference: Leaves) -> bool:
    """Whether all there is in both are objects of the same types, which nobody can compare any further."""
    return len(not_compared(reference)) == len(reference) and found == reference


def _finite(leaves: Leaves) -> Leaves:
    """Replace what is not finite by 0, and say in leaves of their own where it was."""
    found: Leaves = {}
    for path, leaf in leaves.items():
        wide = _wide(leaf)
        if wide is None or bool(wide.isfinite().all()):
            found[path] = leaf
        else:
            found[path] = torch.nan_to_num(wide, nan=0.0, posinf=0.0, neginf=0.0)
            found |= {f"{path} NaN": wide.isnan(), f"{path} Inf": wide.isinf() & (wide > 0)}
    return found


def _compare_leaf(path: str, found: Leaf, reference: Leaf, precise: Precise) -> Agreement:
    try:
        a, b = _wide(found), _wide(reference)
        numbers = (
            _numbers(a, b, found) if a is not None and b is not None and a.shape == b.shape else Agreement("equal")
        )
        form = _compare_form(path, found, reference)
        if form is not None:
            status, why = form
        elif a is None or b is None:
            status, why = _compare_exactly(path, found, reference)
        else:
            status, why = _compare_floats(path, a, b, found, precise)
    except Exception as error:  # noqa: BLE001 - torch has dtypes that can hardly do anything
        return Agreement("different", where=path, why=f"Its {path} cannot be compared: {type(error).__name__}.")
    return replace(numbers, status=status, where=None if status == "equal" else path, why=why)


def _reduced(path: str, found: Leaf, reference: Leaf, peer: Leaf, precise: Precise) -> Agreement:
    try:
        return _compare_reduced(path, found, reference, peer, precise)
    except Exception as error:  # noqa: BLE001 - torch has dtypes that can hardly do anything
        return Agreement("different", where=path, why=f"Its {path} cannot be compared: {type(error).__name__}.")


def _compare_reduced(path: str, found: Leaf, reference: Leaf, peer: Leaf, precise: Precise) -> Agreement:
    """Compare a leaf that was computed in less precision: eager in the same says what may be expected of it."""
    a, b, c = _wide(found), _wide(reference), _wide(peer)
    if a is None or b is None or c is None:  # no float: as it is, or as eager has it in the same precision
        as_is = _compare_leaf(path, found, reference, precise)
        if as_is.status == "equal" or _compare_leaf(path, found, peer, precise).status != "equal":
            return as_is
        return replace(as_is, status="reduced", why="")
    form = _compare_form(path, found, peer)
    if form is None and a.shape != b.shape:
        form = "shape", f"Its {path} has the shape {_shape(found)} where eager's has {_shape(reference)}."
    if form is not None:
        return Agreement(form[0], where=path, why=form[1])
    numbers = _numbers(a, b, None)
    exact = _wide((precise() or {}).get(path))
    status, why = _compare_floats_reduced(path, a, b, c, b if exact is None or exact.shape != b.shape else exact)
    return replace(numbers, status=status, where=path, why=why)


def _compare_floats_reduced(
    path: str, found: Tensor, reference: Tensor, peer: Tensor, exact: Tensor
) -> tuple[str, str]:
    for status, said, has in (("nan", "NaN", torch.isnan), ("inf", "infinite numbers", torch.isinf)):
        if has(reference).any():
            return status, f"Eager's own outputs contain {said}, in {path}."
        if has(found).any():
            return status, f"Its {path} contains {said} and eager's does not, in full precision."
    if _is_as_near(found, peer, exact, HALF_FACTOR):
        return "reduced", ""
    error, size = float((found - reference).abs().max()), _rms(reference)
    if _rms(peer - exact) > MOST_OF_EAGER * _rms(exact):
        said = "even eager is far off in this precision"
    else:
        said = "eager is nearer in the same precision"
    return "different", f"Its {path} differs from eager's by up to {error:.2g}, at a size of {size:.2g}, and {said}."


def _wide(leaf: Leaf) -> Tensor | None:
    """Return a float leaf in fp64, complex numbers as pairs; None for leaves of other kinds."""
    if isinstance(leaf, float | complex) and not isinstance(leaf, int):
        leaf = torch.tensor(leaf, dtype=torch.complex128 if isinstance(leaf, complex) else torch.float64)
    if not isinstance(leaf, Tensor) or not (leaf.is_floating_point() or leaf.is_complex()):
        return None
    return (torch.view_as_real(leaf) if leaf.is_complex() else leaf).double()


def _numbers(found: Tensor, reference: Tensor, original: Leaf) -> Agreement:
    """Return error, cosine and top-1; the error is infinite where it cannot be computed."""
    if not found.numel():
        return Agreement("equal", 0.0)
    error = float((found - reference).abs().masked_fill(found == reference, 0).max())
    if not math.isfinite(error):
        return Agreement("different", math.inf)
    a, b = _normalised(found), _normalised(reference)
    cosine = float((a * b).sum().clamp(-1, 1)) if a.any() and b.any() else float(a.any() == b.any())
    has_rows = found.ndim > 1 and found.shape[-1] > 1 and not (isinstance(original, Tensor) and original.is_complex())
    top1 = float((found.argmax(-1) == reference.argmax(-1)).double().mean()) if has_rows else None
    return Agreement("equal", error, cosine if math.isfinite(cosine) else None, top1)


def _compare_form(path: str, found: Leaf, reference: Leaf) -> tuple[str, str] | None:
    names, shapes = (_kind(found), _kind(reference)), (_shape(found), _shape(reference))
    if isinstance(found, Tensor) != isinstance(reference, Tensor) or (found is None) != (reference is None):
        return "structure", f"Its {path} is {_called(found)} where eager's is {_called(reference)}."
    if names[0] != names[1]:
        return "dtype", f"Its {path} is {names[0]} where eager's is {names[1]}."
    if shapes[0] != shapes[1]:
        return "shape", f"Its {path} has the shape {shapes[0]} where eager's has {shapes[1]}."
    return None


def _compare_exactly(path: str, found: Leaf, reference: Leaf) -> tuple[str, str]:
    if isinstance(found, Tensor) and isinstance(reference, Tensor):
        if torch.equal(found, reference):
            return "equal", ""
        share = f"{int((found != reference).sum())} of {found.numel()} values"
        return "different", f"Its {path} differs from eager's in {share}."
    if found == reference:
        return "equal", ""
    return "different", f"Its {path} is {found!r:.{SHOWN}} where eager's is {reference!r:.{SHOWN}}."


def _compare_floats(path: str, found: Tensor, reference: Tensor, original: Leaf, precise: Precise) -> tuple[str, str]:
    for status, said, has in (("nan", "NaN", torch.isnan), ("inf", "infinite numbers", torch.isinf)):
        if has(reference).any():
            return status, f"Eager's own outputs contain {said}, in {path}."
        if has(found).any():
            return status, f"Its {path} contains {said} and eager's does not."
    if torch.equal(found, reference):
        return "equal", ""
    dtype = _real_dtype(original)
    relative, absolute = NUMBER_TOLERANCES if dtype is None else TOLERANCES.get(dtype, (0.0, 0.0))
    size = _rms(reference)
    absolute *= min(1.0, size) if size else 1.0  # where eager's are all zeros there is no size to go by
    error = (found - reference).abs()
    if bool((error <= absolute + relative * reference.abs()).all()):
        return "close", ""
    factor = HALF_FACTOR if dtype is not None and torch.finfo(dtype).bits <= HALF_BITS else FACTOR
    exact = _wide((precise() or {}).get(path))
    if exact is not None and _is_as_near(found, reference, exact, factor):
        return "close", ""
    return "different", f"Its {path} differs from eager's by up to {float(error.max()):.2g}, at a size of {size:.2g}."


def _is_as_near(found: Tensor, reference: Tensor, exact: Tensor, factor: int) -> bool:
    """Whether `found` is about as near to the exact outputs as eager's are."""
    if exact.shape != found.shape or not bool(exact.isfinite().all()):
        return False
    size, mine, eagers = _rms(exact), found - exact, reference - exact
    return (
        _rms(eagers) <= MOST_OF_EAGER * size
        and _rms(mine) <= factor * _rms(eagers) + RMSE_SLACK * size
        and float(mine.abs().max()) <= factor * float(eagers.abs().max()) + MAX_SLACK * size
    )


def _rms(tensor: Tensor) -> float:
    """Return the root of the mean square; scaled first, since squares of large numbers are infinite."""
    largest = float(tensor.abs().max()) if tensor.numel() else 0.0
    return largest * float((tensor / largest).square().mean().sqrt()) if 0 < largest < math.inf else largest


def _normalised(tensor: Tensor) -> Tensor:
    largest = tensor.abs().max()
    scaled = tensor / largest if largest else tensor
    return scaled / scaled.norm() if largest else scaled


def _real_dtype(leaf: Leaf) -> torch.dtype | None:
    if not isinstance(leaf, Tensor):
        return None
    return torch.view_as_real(leaf).dtype if leaf.is_complex() else leaf.dtype


def _kind(leaf: Leaf) -> str:
    return str(leaf.dtype).removeprefix("torch.") if isinstance(leaf, Tensor) else type(leaf).__name__


def _shape(leaf: Leaf) -> str:
    return "×".join(map(str, leaf.shape)) or "of a single number" if isinstance(leaf, Tensor) else ""


def _called(leaf: Leaf) -> str:
    return "a tensor" if isinstance(leaf, Tensor) else "None" if leaf is None else f"{type(leaf).__name__}"


def _other_parts(found: Leaves, reference: Leaves) -> str:
    added, missing = sorted(found.keys() - reference.keys()), sorted(reference.keys() - found.keys())
    sides = [("have", added, "eager's have not"), ("lack", missing, "eager's have")]
    said = [f"{verb} {', '.join(paths[:3])}, which {other}" for verb, paths, other in sides if paths]
    return f"Its outputs {'; they '.join(said)}."
