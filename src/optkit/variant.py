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

from optkit import text
from optkit.engines import ENGINES, Compile, Eager, Engine
from optkit.engines.compile import MODES
from optkit.errors import VariantError
from optkit.html_table import html_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from optkit.environment import Environment

Grad = Literal["inference_mode", "no_grad", "grad"]
GRADS: tuple[str, ...] = get_args(Grad)
MOST_THREADS_PER_CPU = 4
MODIFIERS = "no_grad, grad, train, threads=N"


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
    threads
        Number of threads within an operator (`torch.set_num_threads`); None leaves torch's default.

    Raises
    ------
    VariantError
        If a value is not allowed.
    """

    engine: Engine = field(default_factory=Eager)
    grad: Grad = "inference_mode"
    train: bool = False
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.engine, Engine):
            raise VariantError(f"engine must be one of optkit.engines, not {self.engine!r}.")
        if self.grad not in GRADS:
            raise VariantError(f"There is no grad context {self.grad!r}; allowed are: {', '.join(GRADS)}.")
        if type(self.train) is not bool:
            raise VariantError(f"train must be True or False, not {self.train!r}.")
        if self.threads is not None and (type(self.threads) is not int or self.threads < 1):
            raise VariantError(f"threads must be a whole number of at least 1, not {self.threads!r}.")

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={text.dump(value)}" for key, value in self.engine.pairs())
        grad = "" if self.grad == "inference_mode" else f"+{self.grad}"
        threads = "" if self.threads is None else f"+threads={self.threads}"
        train = "+train" if self.train else ""
        return self.engine.name + (f":{pairs}" if pairs else "") + grad + train + threads

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Show what is set, and the code that makes it."""
        set_here = {"engine": self.engine.name} | {key: text.dump(value) for key, value in self.engine.pairs()}
        modifiers = {"grad": self.grad, "train": text.dump(self.train), "threads": text.dump(self.threads)}
        code = "\n".join(self.engine.code("model", "forward"))
        table = html_table((), (set_here | modifiers).items())
        html = f"<b><code>{escape(str(self))}</code></b>{table}<pre>{escape(code)}</pre>"
        return {"text/plain": repr(self), "text/html": html}

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
            close = difflib.get_close_matches(name, [*ENGINES, *PRESETS], n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise VariantError(
                f"There is no engine or preset {name!r}.{hint} Engines are: {', '.join(ENGINES)}; "
                f"presets are: {', '.join(PRESETS)}."
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
        if self.threads is not None and self.threads > environment.usable_cpus:
            found.append(f"threads={self.threads} is more than the {environment.usable_cpus:g} CPUs usable here.")
        return found

    def blocked(self, environment: Environment) -> str | None:
        """Return the sentence that says why this cannot run in `environment` at all, or None."""
        if self.threads is not None and self.threads > MOST_THREADS_PER_CPU * environment.cpus:
            return f"threads={self.threads} on {environment.cpus} CPUs would bring the machine to a halt; give fewer."
        return self.engine.blocked(environment)

    def code(self, *, setup: str = "model.eval()", method: str = "forward", inputs: str = "*inputs") -> str:
        """Return Python that runs ``model`` as this variant does, for users to copy; `setup` makes it ready."""
        lines = ["import torch", setup, *(["model.train()"] if self.train else []), ""]
        if self.threads is not None:
            lines.append(f"torch.set_num_threads({self.threads})")
        lines += self.engine.code("model", method)
        call = f"output = fast({inputs})"
        context = {"inference_mode": "torch.inference_mode()", "no_grad": "torch.no_grad()"}.get(self.grad)
        return "\n".join([*lines, *([call] if context is None else [f"with {context}:", f"    {call}"])])


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
    for modifier in modifiers:
        key, *value = text.split(modifier, "=", maximum=1)
        name: str
        given: Any
        if modifier in GRADS:
            name, given = "grad", modifier
        elif modifier == "train":
            name, given = "train", True
        elif key == "threads" and value:
            name, given = "threads", text.load(value[0])
        else:
            raise VariantError(f"There is no modifier {modifier!r}; allowed are: {MODIFIERS}.")
        if name in values:
            raise VariantError(f"Two modifiers set {name}: +{modifier} and another; give one.")
        values[name] = given
    return values


BASELINE = Variant()
"""What every variant is compared with: eager, under `inference_mode`."""


def _recommended(environment: Environment) -> list[str]:
    if environment.device == "cpu":
        return ["compile", "compile:freezing=true"]
    return ["compile", "compile:mode=reduce-overhead", "compile:mode=max-autotune", "compile:backend=cudagraphs"]


PRESETS: dict[str, tuple[str, Any]] = {
    "recommended": ("what makes sense on this machine", _recommended),
    "backends": (
        "one variant for each backend of torch.compile",
        lambda _: [
            "compile:backend=eager", "compile:backend=aot_eager", "compile", "compile:backend=cudagraphs",
        ],
    ),
    "modes": (
        "one variant for each mode of torch.compile",
        lambda _: ["compile", *(f"compile:mode={mode}" for mode in MODES if mode)],
    ),
    "contexts": (
        "eager with gradients, under no_grad, and under inference_mode",
        lambda _: ["eager+grad", "eager+no_grad"],
    ),
}  # fmt: skip


VariantLike = Variant | Engine | str
"""What stands for a variant: itself, bare engine settings, its text, or the name of a preset."""


def resolve(variants: VariantLike | Iterable[VariantLike], environment: Environment) -> list[Variant]:
    """Turn whatever a user gave into a list of variants, each once, in the order given.

    Raises
    ------
    VariantError
        If a name is unknown, if there are none, or if two different callables print alike.
    """
    given = [variants] if isinstance(variants, Variant | Engine | str) else list(variants)
    found = [variant for item in given for variant in _expand(item, environment)]
    unique: dict[str, Variant] = {}
    for variant in found:
        if unique.setdefault(str(variant), variant) != variant:
            raise VariantError(f"Two different variants print as {variant}; give one of the callables another name.")
    if not unique:
        raise VariantError("There is no variant to measure; give at least one, or a preset such as 'recommended'.")
    return list(unique.values())


def _expand(item: VariantLike, environment: Environment) -> list[Variant]:
    if isinstance(item, Variant):
        return [item]
    if isinstance(item, Engine):
        return [Variant(item)]
    if not isinstance(item, str):
        raise VariantError(f"{item!r} is no variant; give a Variant, its text, or settings from optkit.engines.")
    if item == "all":
        return [variant for name in PRESETS for variant in _expand(name, environment)]
    if item in PRESETS:
        return [Variant.parse(string) for string in PRESETS[item][1](environment)]
    return [Variant.parse(item)]
