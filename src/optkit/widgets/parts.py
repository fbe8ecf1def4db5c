"""Small things that the Explorer is made of."""

from __future__ import annotations

from typing import Any

import ipywidgets

from optkit import environment
from optkit.workload import Workload


def as_workload(model: Any, inputs: Any, batch_size: int, given: dict[str, Any]) -> Workload:
    """Return what is to be measured; a Workload is taken as it is."""
    return model if isinstance(model, Workload) else Workload(model, inputs, batch_size=batch_size, **given)


def box(kind: type[ipywidgets.Box], style: str, *children: ipywidgets.Widget) -> ipywidgets.Box:
    """Return a box of widgets with a class of the style sheet."""
    made = kind(children)
    made.add_class(style)
    return made


def button(name: str, tooltip: str, *, style: str = "", disabled: bool = False) -> ipywidgets.Button:
    """Return a button."""
    return ipywidgets.Button(description=name, tooltip=tooltip, button_style=style, disabled=disabled)


def machine() -> list[str]:
    """Return what is worth showing of this machine."""
    here = environment.detect()
    return [f"{here.usable_cpus:g} CPUs usable", f"torch {here.versions.get('torch', 'missing')}"]
