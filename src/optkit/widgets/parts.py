"""Small things that the Explorer is made of."""

from __future__ import annotations

import ipywidgets

from optkit import environment


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
