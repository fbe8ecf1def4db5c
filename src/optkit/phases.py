"""The phases of a variant in words, for everything that shows a study."""

from __future__ import annotations

TIMED_PHASES = ("settle", "preliminary", "rounds")
"""Phases in which calls are timed: whoever watches keeps still."""

PHASE_WORDS: dict[str, str] = {
    "import": "importing torch",
    "probe": "learning what this CPU can do",
    "build": "building the model",
    "prepare": "preparing",
    "first_call": "first call",
    "early_calls": "calls 2 and 3",
    "settle": "warming up",
    "preliminary": "first rounds",
    "rounds": "measuring",
}
