"""Variant: one immutable recipe for running a model, with a text form that reads back.

::

    eager    eager+no_grad    compile    compile:backend=cudagraphs    compile:mode=max-autotune,dynamic=true
    compile:freezing=true    compile:options.max_autotune=true    eager+threads=1
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal, get_args

from optkit import script, text, variant_code
from optkit.engines import ENGINES, Compile, Eager, Engine
from optkit.errors import VariantError
from optkit.html_table import html_table, literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.environment import Environment
    from optkit.workload import Workload

Grad = Literal["inference_mode", "no_grad", "grad"]
GRADS: tuple[str, ...] = get_args(Grad)
MOST_THREADS_PER_CPU = 4
DTYPES = ("bfloat16", "float16")
LAYOUTS = ("channels_last",)
QUANTIZATIONS = ("int8", "int8_weight_only")
FALLBACKS = ("eager",)
# fmt: off
PRESET_NAMES = (
    "recommended", "backends", "modes", "contexts", "precision", "threads", "exports", "guide", "patterns", "all",
)
# fmt: on
"""Names that `optkit.presets` gives meaning to; here so that a slip can be told from an engine's name."""
MODIFIERS = (
    "no_grad, grad, train, channels_last, bfloat16, float16, autocast, autocast=DTYPE, int8, int8_weight_only, "
    "threads=N, compiled_in=CONTEXT, fallback=eager"
)


@dataclass(frozen=True)
class Variant:
    """One recipe: an engine with its settings, and modifiers.

    Parameters
    ----------
    engine
        Settings of a technique, e.g. ``Compile(mode="max-autotune")``.
    grad
        The context that calls are made in: ``"inference_mode"`` (default), ``"no_grad"`` or ``"grad"``.
    train
        Leave the model in training mode, with dropout and batch statistics on; otherwise ``eval()`` is called.
    dtype
        Cast model and inputs: ``"bfloat16"`` or ``"float16"``; None leaves them as they are.
    autocast
        Make calls under `torch.autocast`: True takes the device's usual dtype, a name that one.
    memory_format
        ``"channels_last"``: lay images and convolutions out that way; None leaves them as they are.
    quantize
        With torchao, the linear layers: ``"int8"`` quantizes activations as they come, ``"int8_weight_only"`` not.
    threads
        Number of threads within an operator (`torch.set_num_threads`); None leaves torch's default.
    compiled_in
        Make the first call in this grad context, and all others in `grad`: torch compiles again then.
    fallback
        ``"eager"``: where the first call fails, which is where torch compiles, run eager from then on.

    Raises
    ------
    VariantError
        If a value is not allowed.
    """

    engine: Engine = field(default_factory=Eager)
    grad: Grad = "inference_mode"
    train: bool = False
    dtype: str | None = None
    autocast: str | bool | None = None
    memory_format: str | None = None
    quantize: str | None = None
    threads: int | None = None
    compiled_in: str | None = None
    fallback: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.engine, Engine):
            raise VariantError(f"engine must be one of optkit.engines, not {self.engine!r}.")
        if self.grad not in GRADS:
            raise VariantError(f"There is no grad context {self.grad!r}; allowed are: {', '.join(GRADS)}.")
        if self.autocast is False:
            object.__setattr__(self, "autocast", None)
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise VariantError(f"There is no {name} {value!r}; allowed are: {_words(allowed)}.")
        self._check_together()
        if type(self.train) is not bool:
            raise VariantError(f"train must be True or False, not {self.train!r}.")
        if self.threads is not None and (type(self.threads) is not int or self.threads < 1):
            raise VariantError(f"threads must be a whole number of at least 1, not {self.threads!r}.")

    def _check_together(self) -> None:
        """Raise a VariantError where modifiers do not go with the engine, or with each other."""
        for name in ("compiled_in", "fallback"):
            if getattr(self, name) is not None and not isinstance(self.engine, Compile):
                raise VariantError(f"{name} is about torch.compile, and {self.engine.name} has no use for it.")
        frozen = getattr(self.engine, "freeze", False) or getattr(self.engine, "optimize_for_inference", False)
        if self.train and (frozen or self.engine.name == "onnxruntime"):
            raise VariantError("A model that is frozen, or exported to ONNX, has left training mode; leave +train out.")
        if self.autocast is not None and self.dtype is not None:
            raise VariantError("Give either a dtype, which casts the model, or autocast, which casts within each call.")
        if self.engine.runs_file and not self.engine.exports and (self.autocast or self.quantize):
            raise VariantError("A file that was exported already has its precision; leave autocast and int8 out.")

    @property
    def is_reduced(self) -> bool:
        """Whether it computes in less precision than the model has."""
        return not self.dtype == self.autocast == self.quantize

    @property
    def modifiers(self) -> list[str]:
        """The text of each modifier that is set, in the order they are written."""
        autocast = (
            None if self.autocast is None else "autocast" if self.autocast is True else f"autocast={self.autocast}"
        )
        named = {name: getattr(self, name) for name in ("threads", "compiled_in", "fallback")}
        plain = [
            None if self.grad == "inference_mode" else self.grad,
            "train" if self.train else None,
            self.memory_format,
            self.dtype,
            autocast,
            self.quantize,
        ]
        return [one for one in plain if one] + [f"{name}={value}" for name, value in named.items() if value is not None]

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={text.dump(value)}" for key, value in self.engine.pairs())
        return "+".join([self.engine.name + (f":{pairs}" if pairs else ""), *self.modifiers])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Show what is set, and the code that makes it."""
        set_here = {"engine": self.engine.name} | {key: text.dump(value) for key, value in self.engine.pairs()}
        modifiers = {"grad": self.grad, "modifiers": ", ".join(self.modifiers) or "none"}
        table = html_table((), (set_here | modifiers).items())
        html = f"<b><code>{escape(str(self))}</code></b>{table}<pre>{escape(self.code())}</pre>"
        return {"text/plain": repr(self), "text/html": literal(html)}

    @classmethod
    def read(cls, string: str) -> Variant:
        """Read the text of a record: like `parse`, but a callable's name gives a stand-in that cannot be called."""
        return cls._parse(string, stand_ins=True)

    @classmethod
    def parse(cls, string: str) -> Variant:
        """Read the text form, ``engine[:key=value,…][+modifier…]``.

        Raises
        ------
        VariantError
            If the engine, a key, a value or a modifier is unknown; the message lists the allowed ones.
        """
        return cls._parse(string, stand_ins=False)

    @classmethod
    def _parse(cls, string: str, *, stand_ins: bool) -> Variant:
        recipe, *modifiers = text.split(string.strip(), "+")
        name, *settings = text.split(recipe, ":", maximum=1)
        engine = ENGINES.get(name)
        if engine is None:
            if name in PRESET_NAMES:
                raise VariantError(f"{name!r} is a preset, several variants, and one is needed; give one of them.")
            known = [*ENGINES, *PRESET_NAMES]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise VariantError(
                f"There is no engine or preset {name!r}.{hint} Engines are: {', '.join(ENGINES)}; "
                f"presets are: {', '.join(PRESET_NAMES)}."
            )
        pairs = _read_pairs(settings[0], string, stand_ins=stand_ins) if settings else {}
        return cls(engine.from_pairs(pairs), **_read_modifiers(modifiers))

    def problems(self, environment: Environment) -> list[str]:
        """Return sentences that say why this cannot, or should not, run in `environment`; empty where all is well."""
        found = self.engine.problems(environment)
        if self.blocked(environment) not in (None, *found):
            found.append(str(self.blocked(environment)))
        if isinstance(self.engine, Compile) and self.engine.freezing and self.grad == "grad":
            found.append("freezing is ignored while gradients are enabled; use inference_mode or no_grad.")
        is_half = "bfloat16" in (self.dtype, self.autocast) or self.autocast is True
        if is_half and environment.device == "cpu" and not environment.bfloat16_units:
            found.append("This CPU has no bfloat16 units and emulates them, which was seen 40 times slower.")
        if self.threads is not None and self.threads > environment.usable_cpus:
            found.append(f"threads={self.threads} is more than the {environment.usable_cpus:g} CPUs usable here.")
        return found

    def blocked(self, environment: Environment) -> str | None:
        """Return the sentence that says why this cannot run in `environment` at all, or None."""
        if self.threads is not None and self.threads > MOST_THREADS_PER_CPU * environment.cpus:
            return f"threads={self.threads} on {environment.cpus} CPUs would bring the machine to a halt; give fewer."
        if self.quantize is not None and "torchao" not in environment.versions:
            return f'{self.quantize} needs torchao, which is not installed; pip install "optkit[quant]".'
        if self.quantize is not None and self.engine.name in ("torchscript", "onnxruntime"):
            return f"{self.engine.name} cannot hold the tensors that torchao makes; use compile with +{self.quantize}."
        if self.engine.name == "onnxruntime" and ("bfloat16" in (self.dtype, self.autocast) or self.autocast is True):
            return (
                "ONNX Runtime has no bfloat16 on a CPU, and numpy none to give it its inputs in; use float16 instead."
            )
        return self.engine.blocked(environment)

    def code(self, workload: Workload | None = None) -> str:
        """Return Python for users to copy.

        Parameters
        ----------
        workload
            What to run: the code is then a script that stands alone. It builds the model and its inputs, optimizes,
            checks the outputs against eager's and times both, with ``python -c`` and from any folder. Of a model of the
            user's own, optkit looks for the call that builds it, and tries that out without allocating memory. None:
            the lines that run the variables ``model`` and ``inputs`` this way.
        """
        return self.snippet() if workload is None else script.write(self, workload.subject())

    def snippet(self, *, setup: str = "model.eval()", method: str = "forward", inputs: str = "*inputs") -> str:
        """Return the lines that run ``model`` as this variant does.

        Parameters
        ----------
        setup
            Lines that make ``model`` ready.
        method
            The model's method that is called; ``"forward"`` is calling it.
        inputs
            How a call takes the variable ``inputs``: ``"*inputs"`` for a tuple, ``"**inputs"`` for a dict, ``"inputs"``
            for a single tensor.
        """
        lines = ["import torch", setup, *(["model.train()"] if self.train else []), ""]
        if self.threads is not None:
            lines.append(f"torch.set_num_threads({self.threads})")
        lines += variant_code.conversion(self, inputs)
        lines += self.engine.code("model", method, inputs, context=variant_code.exporting(self))
        return "\n".join([*lines, *variant_code.call(self, method, inputs)])


_CHOICES: dict[str, tuple[Any, ...]] = {
    "dtype": DTYPES,
    "autocast": (True, *DTYPES),
    "memory_format": LAYOUTS,
    "quantize": QUANTIZATIONS,
    "compiled_in": GRADS,
    "fallback": FALLBACKS,
}


def _words(allowed: tuple[Any, ...]) -> str:
    return ", ".join(value for value in allowed if isinstance(value, str))


def _stand_in(name: str) -> Callable[..., Any]:
    def stand_in(*_: Any, **__: Any) -> Any:
        raise VariantError(f"{name} was a Python callable of the process that measured; it is not here.")

    stand_in.__name__ = name
    return stand_in


def _read_pairs(settings: str, string: str, *, stand_ins: bool) -> dict[str, Any]:
    pairs: dict[str, Any] = {}
    for item in text.split(settings, ","):
        key, *value = text.split(item, "=", maximum=1)
        if not value:
            raise VariantError(f"{item!r} in {string!r} is no setting; write key=value.")
        is_callable = value[0].endswith("()")
        if is_callable and not stand_ins:
            raise VariantError(
                f"{value[0]} in {string!r} stands for a Python callable and cannot be read back from text; "
                f"pass optkit.engines.Compile({key}={value[0][:-2]}) instead."
            )
        if key in pairs:
            raise VariantError(f"{key!r} is given twice in {string!r}.")
        pairs[key] = _stand_in(value[0][:-2]) if is_callable else text.load(value[0])
    return pairs


def _read_modifiers(modifiers: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    setting: dict[str, str] = {}
    for modifier in modifiers:
        key, *value = text.split(modifier, "=", maximum=1)
        if modifier in _PLAIN_MODIFIERS:
            name, given = _PLAIN_MODIFIERS[modifier]
        elif key in ("threads", "compiled_in", "fallback", "autocast") and value:
            name, given = key, text.load(value[0])
        else:
            raise VariantError(f"There is no modifier {modifier!r}; allowed are: {MODIFIERS}.")
        if name in values:
            raise VariantError(f"Two modifiers set {name}: +{setting[name]} and +{modifier}; give one.")
        values[name], setting[name] = given, modifier
    return values


_PLAIN_MODIFIERS: dict[str, tuple[str, Any]] = {
    **{name: ("grad", name) for name in GRADS},
    **{name: ("dtype", name) for name in DTYPES},
    **{name: ("memory_format", name) for name in LAYOUTS},
    **{name: ("quantize", name) for name in QUANTIZATIONS},
    "train": ("train", True),
    "autocast": ("autocast", True),
}
"""Modifiers without a value: the field that each sets, and to what."""


BASELINE = Variant()
"""What every variant is compared with: eager, under `inference_mode`."""
