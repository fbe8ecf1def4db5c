"""The phases of a variant in words, for everything that shows a study."""

from __future__ import annotations

TIMED_PHASES = ("settle", "preliminary", "rounds", "throughput", "confirm")
"""Phases in which calls are timed: whoever watches keeps still."""

STARTING_PHASES = ("import", "probe", "build", "export", "prepare", "first_call")
"""Phases in which a variant is brought up, and nobody knows for how long."""

LAST_PHASES = ("throughput", "memory", "checks", "headroom", "warm_start", "reload", "confirm")
"""What comes after the rounds; how many of these are left is known to nobody."""

PHASE_WORDS: dict[str, str] = {
    "import": "importing torch",
    "probe": "learning what this CPU can do",
    "build": "building the model",
    "export": "exporting",
    "prepare": "preparing",
    "first_call": "first call",
    "early_calls": "calls 2 and 3",
    "settle": "warming up",
    "preliminary": "first rounds",
    "reload": "loading again, for lack of memory",
    "rounds": "measuring",
    "throughput": "measuring throughput",
    "memory": "measuring memory",
    "checks": "comparing outputs",
    "headroom": "measuring what this machine can do",
    "warm_start": "starting again with a warm cache",
    "confirm": "confirming with fresh workers",
}
