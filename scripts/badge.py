"""Set whose repository the README's Binder badge opens: ``make badge REPO=owner/name``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
REPOSITORY = r"[A-Za-z0-9](?:[A-Za-z0-9-]*)/[A-Za-z0-9._-]+"
BADGE = re.compile(rf"(\(https://mybinder\.org/v2/gh/)({REPOSITORY})(/HEAD\?)")


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if not re.fullmatch(REPOSITORY, name):
        sys.exit(f"REPO must be the owner and the name on GitHub, such as make badge REPO=owner/name, not {name!r}.")
    text, count = BADGE.subn(rf"\g<1>{name}\g<3>", README.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"README.md has {count} badges of Binder; there should be one.")
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
