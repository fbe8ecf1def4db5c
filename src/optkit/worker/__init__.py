"""The process boundary: `host` runs in the user's process, everything else in the processes that it starts."""
