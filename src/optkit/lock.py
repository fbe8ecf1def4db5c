"""The versions of installed packages and of what they require, so that the same can be installed elsewhere."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

UNREADABLE = (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName)
"""Old packages say what no installer reads any more."""

_NOT_INDEXED = "# installed here from a folder or file: "


def lock(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages and of everything that they require here.

    Parameters
    ----------
    packages
        Names, with extras if need be: ``"optkit[onnx]"``.

    Returns
    -------
    dict[str, str]
        Versions by canonical name, sorted. Packages that are not installed are left out.
    """
    locked: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [part for package in packages for part in _parts(Requirement(package))]
    while waiting:
        part = waiting.pop()
        if part in seen:
            continue
        seen.add(part)
        name, extra = part
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        locked[name] = found.version
        waiting += _required(found, extra)
    return dict(sorted(locked.items()))


def requirements(locked: Mapping[str, str]) -> str:
    """Return the text of a requirements.txt that asks for these versions.

    Local version labels such as ``+cpu`` are left out: an index has no versions with such labels. What was installed
    from a folder or a file is a comment: no index need have it.
    """
    lines = [
        f"{_NOT_INDEXED if _is_local(name) else ''}{name}=={version.partition('+')[0]}"
        for name, version in sorted(locked.items())
    ]
    return "\n".join([f"# made with Python {platform.python_version()}", *lines, ""])


def _is_local(name: str) -> bool:
    try:
        return metadata.distribution(name).read_text("direct_url.json") is not None
    except metadata.PackageNotFoundError:
        return False


def _parts(requirement: Requirement) -> Iterator[tuple[str, str]]:
    """Return what is asked for: the package itself, whose extra is called "", and each extra of it."""
    name = canonicalize_name(requirement.name)
    yield from ((name, extra) for extra in ("", *sorted(map(canonicalize_name, requirement.extras))))


def _required(found: metadata.Distribution, extra: str) -> Iterator[tuple[str, str]]:
    """Return what a package, or one of its extras, requires on this machine with this Python."""
    for text in found.requires or ():
        with contextlib.suppress(*UNREADABLE):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                yield from _parts(requirement)
