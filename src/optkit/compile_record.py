"""What torch's record of one compile says, in the names that a user knows. Pure.

A record is as `optkit.worker.compile_trace.compiled` tells it.
"""

from __future__ import annotations

import re
from typing import Any

from optkit import signatures

WRAPPER = "torch/_dynamo/external_utils.py"
"""torch compiles a module of its own (nn.Sequential, say) through a function here that means nothing to a user."""
MODEL = "the model"
"""What a user calls that function."""


BREAKING = ("Unsupported", "UserError")
"""Kinds of failure that are a graph break, unless torch may break no graph."""
COMPARED = 120
"""So many characters of torch's words are compared: its sources end them differently."""


def is_wrapper(path: str) -> bool:
    """Whether a file is the one in which torch wraps modules of its own."""
    return path.endswith(WRAPPER)


def function(record: dict[str, Any]) -> str:
    """Return what was compiled; "the model" where torch wraps it in a function of its own."""
    return MODEL if is_wrapper(record["path"]) else str(record["function"])


def guard(record: dict[str, Any], parameters: list[str]) -> str:
    """Return the guard that failed, with inputs and submodules by name; empty where nothing was compiled before.

    What torch puts before it (the number of the compile) and behind it (the line of its source) is left out.
    """
    said = re.sub(r"^\d+(?:/\d+)*: ", "", record["reason"]).partition("  #")[0].partition("\n")[0].strip()
    if is_wrapper(record["path"]):
        said = re.sub(r"\bargs\[(\d+)\]", lambda found: signatures.called(found[1], parameters), said)
        said = re.sub(r"\bkwargs\['(\w+)'\]", r"\1", said)
    said = re.sub(r"L\[['\"](\w+)['\"]\]", r"\1", said)
    said = re.sub(r"\._modules\['([A-Za-z_]\w*)'\]", r".\1", said)
    return re.sub(r"\._modules\['(\d+)'\]", r"[\1]", said)


def is_limit(record: dict[str, Any]) -> bool:
    """Whether torch gave up here because it had compiled the function too often."""
    return bool(record["failed"]) and "limit" in f"{record['failed']} {record['fail_reason']}".lower()


def outcome(record: dict[str, Any], error: str | None) -> str:
    """Return what a compile came to.

    ``compiled``; ``skipped``, so that eager runs; ``failed``, where the call raised torch's own words; or ``error``,
    where it raised one of its own, which says more.
    """
    if not record["failed"]:
        return "compiled"
    if error is None:
        return "skipped"
    if record["failed"] not in BREAKING:
        return "error"
    words = record["fail_reason"].strip().partition("\n")[0][:COMPARED].rstrip(".")
    is_torchs = error.startswith(f"{record['failed']}: ") or (bool(words) and words in error)
    return "failed" if is_torchs else "skipped"


def compiled_before(record: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the first record of the same function: of a compile that torch refuses, it does not say which it is."""
    frame = record["id"].partition("/")[0]
    return next((one for one in records if one["id"].partition("/")[0] == frame and one["path"]), record)
