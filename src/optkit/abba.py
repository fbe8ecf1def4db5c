"""What is done about variants whose workers do not fit in memory beside the others: ABBA.

Baseline and variant are loaded in turn, one at a time: A, B, B, A. A drift of the machine that is steady over such a
cycle slows both alike. Each cycle is a round; between two cycles the baseline stays loaded, so it has two turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import passes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optkit.crew import Crew
    from optkit.events import Event
    from optkit.member import Member

FEWEST_CYCLES = 3


def cycles(
    crew: Crew, baseline: Member, postponed: list[Member], residents: list[Member], *, first: int, known: list[Member]
) -> Iterator[Event]:
    """End the `residents`' workers, then measure each of the `postponed` until budget or rounds are used up.

    Rounds are numbered from `first`, after those of the residents, so that each of its turns finds its round. What is
    `known` was called before the study was resumed: its first call is no news.
    """
    for member in residents:
        crew.rest(member)
    number = first
    if baseline.worker is None:
        yield from crew.bring_up_again(baseline, "reload")
    for cycle in range(1, crew.plan.rounds[1] + 1):
        if cycle > FEWEST_CYCLES and crew.elapsed_s >= crew.plan.budget_s:
            return
        for member in postponed:
            if baseline.worker is None or not member.postponed:
                continue
            yield from _turn(crew, baseline, number)
            yield from _visit(crew, baseline, member, number, new=cycle == 1 and member not in known)
            yield from crew.bring_up_again(baseline, "reload")
            yield from _turn(crew, baseline, number)
            number += 1


def _visit(crew: Crew, baseline: Member, member: Member, number: int, *, new: bool) -> Iterator[Event]:
    """Load the variant in the baseline's place, let it make two turns, and end it."""
    crew.rest(baseline)
    yield from crew.bring_up(member) if new else crew.bring_up_again(member, "reload")
    crew.in_blocks |= member.is_short
    for _ in range(2):
        yield from _turn(crew, member, number)
    if member.worker is None:
        member.postponed = False  # it failed, and has said so
    elif new:
        yield from passes.examine(crew, member)
    crew.rest(member)


def _turn(crew: Crew, member: Member, number: int) -> Iterator[Event]:
    if member.worker is not None:
        yield crew.phase(member, "rounds", number)
        yield from crew.turn(member, "rounds", number, reloaded=True)
