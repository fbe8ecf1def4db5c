"""cloudpickle, which sends classes and functions by value, and one thing that it cannot do. A `pickle_module` of torch.

torch replaces some of its modules (``torch._dynamo.config``) with instances of other types. A function that names one
of them could not be sent, so modules of any type are sent by name.
"""

from __future__ import annotations

import importlib
import io
import sys
from types import ModuleType
from typing import Any

import cloudpickle


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles modules by name, whatever their type, and the rest as cloudpickle does."""

    def reducer_override(self, obj: Any) -> Any:
        """Say how an object is pickled; the base class calls this before it asks the object itself."""
        name = getattr(obj, "__name__", None)
        if isinstance(obj, ModuleType) and type(obj) is not ModuleType and sys.modules.get(str(name)) is obj:
            return importlib.import_module, (name,)
        return super().reducer_override(obj)


def dumps(value: Any) -> bytes:
    """Return a value as bytes that `cloudpickle.loads` reads."""
    file = io.BytesIO()
    Pickler(file).dump(value)
    return file.getvalue()
