"""The model zoo: torchvision's classification models by name, and two tiny models that compile in seconds."""

from __future__ import annotations

import difflib
import importlib
import re
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit.errors import WorkloadError

if TYPE_CHECKING:
    from types import ModuleType

TINY = ("tiny_cnn", "tiny_transformer")
_TINY_SHAPES = {"tiny_cnn": (3, 32, 32), "tiny_transformer": (32,)}
_SHAPES = {"inception_v3": (3, 299, 299)}
_USUAL_SHAPE = (3, 224, 224)

MISSING_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
"""What torchvision refers to, and its compiled extension defines."""


@cache
def names() -> tuple[str, ...]:
    """Return the names of all models, without importing torch.

    torchvision registers a model with a decorator on the function of its name; the names are read from its source,
    so they are those of the version that is installed. A test compares them with torchvision's own list.
    """
    spec = util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return TINY
    found: set[str] = set()
    registered = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
    for path in (Path(spec.origin).parent / "models").glob("*.py"):
        found.update(registered.findall(path.read_text(encoding="utf-8")))
    return (*TINY, *sorted(found))


def check_name(name: str) -> None:
    """Raise a WorkloadError that suggests the closest names, unless `name` is in the zoo."""
    if name not in names():
        close = difflib.get_close_matches(name.lower(), names(), n=3, cutoff=0.5)
        hint = (
            f" Did you mean {' or '.join(close)}?" if close else " See torchvision's classification models for names."
        )
        own = " A model of your own is measured from Python: give the module itself, or a function that builds it."
        raise WorkloadError(f"There is no model {name!r} in the zoo.{hint}{own}")


def default_shape(name: str) -> tuple[int, ...]:
    """Return the shape of one input without its batch dimension: pixels of an image, or the number of tokens."""
    return _TINY_SHAPES.get(name) or _SHAPES.get(name, _USUAL_SHAPE)


def model_code(name: str, weights: str | None) -> list[str]:
    """Return the lines that define ``model``, for users to copy."""
    if name in TINY:
        return ["from optkit.tiny_models import MODELS", f"model = MODELS[{name!r}]()"]
    given = f", weights={weights!r}" if weights else ""
    return [
        "from optkit.workload import torchvision_models",
        f"model = torchvision_models().get_model({name!r}{given})",
    ]


def inputs_code(name: str, batch_size: int, shape: tuple[int, ...] | None, weights: str | None) -> list[str]:
    """Return the lines that define ``inputs``; without a shape, trained weights know the size of their images."""
    if name in TINY:
        names = "_, inputs" if name == "tiny_transformer" else "inputs, _"
        return [
            "from optkit.tiny_models import example_inputs",
            f"{names} = example_inputs({name!r}, {batch_size}, {shape})",
        ]
    if shape is not None:
        return [f"inputs = (torch.randn{(batch_size, *shape)},)"]
    return [
        f"size = torchvision_models().get_model_weights({name!r})[{weights!r}].transforms().crop_size * 2",
        f"inputs = (torch.randn({batch_size}, 3, *size),)  # an image that is prepared as the weights expect is better",
    ]


def torchvision_models() -> ModuleType:
    """Return `torchvision.models`, also where torchvision was built for another build of torch.

    torchvision's Linux wheel expects the CUDA build of torch. Beside a CPU build its compiled extension does not load,
    and importing torchvision ends in "operator torchvision::nms does not exist", although every classification model
    is plain Python. Declaring the schemas of the two operators that it refers to lets it import; a model that needs
    those operators then fails when it calls them.
    """
    import torch

    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in MISSING_OPERATORS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _LIBRARIES.append(library)  # the schemas live as long as this object
    return importlib.import_module("torchvision.models")


def accommodation_code() -> list[str]:
    """Return the lines that do what `torchvision_models` had to do in this process, without optkit; none if nothing.

    They stand below an import of torch, and do nothing where it has been done: a schema cannot be declared twice.
    """
    if not _LIBRARIES:
        return []
    return [
        'if not hasattr(torch.ops.torchvision, "nms"):  # lets torchvision be imported beside another build of torch',
        '    library = torch.library.Library("torchvision", "FRAGMENT")',
        *(f'    library.define("{schema}")' for schema in MISSING_OPERATORS),
    ]


_LIBRARIES: list[Any] = []
