"""Python as text: values that need no name but torch's, and expressions broken into lines that fit.

torch is taken from `sys.modules`, in the whole package: where there is a module or a tensor, somebody has imported it,
and without one there is no reason to spend seconds on it.
"""

from __future__ import annotations

import ast
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_LENGTH = 120
SCALARS = (bool, int, float, str, bytes, complex, type(None), type(...))


class CannotTellError(Exception):
    """Something has no form in Python that is known to be right."""


def loaded_torch() -> Any:
    """Return torch; None where nobody has imported it."""
    return sys.modules.get("torch")


def is_module(value: Any) -> bool:
    """Return whether a value is an ``nn.Module``."""
    return (torch := loaded_torch()) is not None and isinstance(value, torch.nn.Module)


def is_channels_last(tensor: Any) -> bool:
    """Return whether an image lies in memory by pixel, and not by channel."""
    by_pixel = tensor.dim() == 4 and tensor.is_contiguous(memory_format=loaded_torch().channels_last)  # noqa: PLR2004
    return by_pixel and not tensor.is_contiguous()


def constant(value: Any) -> str | None:
    """Return Python for a number, a text or one of torch's constants; None for anything else."""
    if type(value) in (float, complex) and not math.isfinite(abs(value)):
        return f'{type(value).__name__}("{value}")'
    if type(value) in SCALARS:
        text = repr(value)
        is_plain = isinstance(value, str) and text == f"'{value}'" and '"' not in text
        return f'"{value}"' if is_plain else text
    if (torch := loaded_torch()) is None or not isinstance(value, (torch.dtype, torch.memory_format, torch.device)):
        return None
    return f"torch.{repr(value).removeprefix('torch.')}"


def container(value: Any, part: Callable[[Any], str]) -> str | None:
    """Return Python for a list, tuple or dict of what `part` can print; None for anything else."""
    if type(value) is dict:
        return f"{{{', '.join(f'{part(key)}: {part(one)}' for key, one in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(map(part, value))}]"
    if type(value) is tuple or ((torch := loaded_torch()) is not None and isinstance(value, torch.Size)):
        return f"({', '.join(map(part, value))}{',' if len(value) == 1 else ''})"
    return None


def wrapped(text: str, before: str = "", after: str = "", indent: str = "") -> list[str]:
    """Return an expression as lines, broken over the elements of what it calls or holds where it is long."""
    node: Any = ast.parse(text, mode="eval").body
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        node = node.func.value  # of what the method is called on
    elements: list[Any] = [*getattr(node, "elts", []), *getattr(node, "args", []), *getattr(node, "keywords", [])]
    values = [one.value if isinstance(one, ast.keyword) else one for one in elements]
    if isinstance(node, ast.Dict):
        elements, values = node.keys, node.values
    line, raw = f"{indent}{before}{text}{after}", text.encode()  # where a node lies is told in bytes
    if len(line) <= LINE_LENGTH or not elements:
        return [line]
    lines = [f"{indent}{before}{raw[: elements[0].col_offset].decode()}"]
    for element, value in zip(elements, values, strict=True):
        name, inner = raw[element.col_offset : value.col_offset], raw[value.col_offset : value.end_col_offset]
        lines += wrapped(inner.decode(), name.decode(), ",", f"{indent}    ")
    return [*lines, f"{indent}{raw[values[-1].end_col_offset :].decode().lstrip(',')}{after}"]
