"""The four deployment patterns that guides to PyTorch inference end in, by name, and corrected where they err."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optkit.variant import Variant

if TYPE_CHECKING:
    from optkit.workload import Workload


@dataclass(frozen=True)
class Pattern:
    """A way to deploy a model.

    Attributes
    ----------
    name, title
        What it goes by, and what guides call it.
    variant
        The variant that does it.
    guide
        The variant that guides write for it; the same where they are right.
    when
        When it is the one to take, in one sentence.
    correction
        What guides leave out or get wrong, and what is true, in one sentence.
    """

    name: str
    title: str
    variant: Variant
    guide: Variant
    when: str
    correction: str

    def code(self, workload: Workload | None = None) -> str:
        """Return Python that does it, headed by when to use it; see `Variant.code`."""
        return f"# {self.title}. {self.when}\n# {self.correction}\n{self.variant.code(workload)}"


def _pattern(name: str, title: str, texts: tuple[str, str], when: str, correction: str) -> tuple[str, Pattern]:
    variant, guide = map(Variant.parse, texts)
    return name, Pattern(name, title, variant, guide, when, correction)


PATTERNS: dict[str, Pattern] = dict([
    _pattern(
        "development", "Pattern 1: eager execution for development", ("eager", "eager+no_grad"),
        "Nothing is compiled, so errors and prints are where they are in the source.",
        "inference_mode leaves out more of autograd's bookkeeping than no_grad, and neither of them is eval().",
    ),
    _pattern(
        "deployment", "Pattern 2: TorchScript for deployment", ("torchscript", "torchscript"),
        "The process that serves has neither the model's source nor time to compile.",
        "torch has deprecated TorchScript since 2.10, and a trace keeps one path through the model: the variant "
        "aotinductor is what takes its place.",
    ),
    _pattern(
        "speed", "Pattern 3: torch.compile for speed", ("compile", "compile"),
        "A process that has the model's source makes enough calls to pay for compiling it.",
        "Compile once and reuse what comes back; the first call of each process compiles, or reads the cache, so warm "
        "up before you serve.",
    ),
    _pattern(
        "combined", "Pattern 4: export and compile combined", ("aotinductor:freezing=true", "torchscript:compile=true"),
        "The process that serves is to be fast from its first call on, without the model's source.",
        "torch.compile does nothing with a traced module and says nothing; exporting with torch.export and compiling "
        "ahead of time with AOTInductor is what combines the two.",
    ),
])  # fmt: skip
"""By name, in the order in which guides give them."""
