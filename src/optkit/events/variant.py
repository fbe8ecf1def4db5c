"""How a variant comes along: its phases, what torch compiles, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from optkit.events.base import EndReason, Phase, VariantEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBegan(VariantEvent):
    """A phase began. `round_number` and `round_limit` are given in the phases that consist of rounds."""

    phase: Phase
    round_number: int | None = None
    round_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded(VariantEvent):
    """A phase that is not made of timed calls ended after `seconds`; `details` says what came out of it."""

    phase: Phase
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileBegan(VariantEvent):
    """torch began to compile; `compile_id` is its name for it: ``function/number``."""

    compile_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileEnded(VariantEvent):
    """torch has compiled, or given up.

    Attributes
    ----------
    compile_id, function
        Which compile it was, and of which function.
    seconds
        How long it took; None where torch does not say.
    phases_s
        Seconds by phase: ``dynamo``, ``aot_autograd``, ``inductor``, ``code_gen``. Each contains those after it: never
        to be summed. A phase that a cache made unnecessary is missing.
    reason
        Why it had to compile again; None for the first of its function.
    failed
        What went wrong; None where it went well.
    """

    compile_id: str
    function: str
    seconds: float | None = None
    phases_s: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSkipped(VariantEvent):
    """The variant was not run, because of `reason` (a sentence)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFailed(VariantEvent):
    """The variant's worker raised, exited, was killed or did not answer in time; what was measured before stays.

    Attributes
    ----------
    phase
        The phase it was in.
    reason
        One sentence.
    details
        Traceback, where there is one, and the last lines the worker printed.
    raised
        True where the model's own code raised; False where its process ended or hung.
    """

    phase: Phase
    reason: str
    details: str = ""
    raised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PassFailed(VariantEvent):
    """A pass after the rounds gave no number, because of `reason`, a sentence; what was measured before stays."""

    phase: Phase
    reason: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFinished(VariantEvent):
    """All rounds that this variant was to have are done; `because` says what ended them."""

    because: EndReason | None = None
