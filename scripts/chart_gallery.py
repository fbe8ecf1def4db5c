"""Write an HTML page with all charts of made-up comparisons, on a light and on a dark background.

``.venv/bin/python scripts/chart_gallery.py FOLDER`` writes `svg.html`, `figures-light.html`, `figures-dark.html`.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from optkit import charts, figures, svg
from optkit.comparison import Comparison
from optkit.events import CompileBegan, CompileEnded, FirstCall, PhaseBegan, PhaseEnded, Samples, WarmStarted
from optkit.marks import Marks
from stories import ended, failed, finished, started, turn

MODULES_S = {"torch": 1.9, "torch._dynamo": 0.8, "torch._inductor.compile_fx": 1.1}
WIDTHS = (640, 420)
SHORT_S = 1e-4
PHASES = ("dynamo", "aot_autograd", "inductor", "code_gen")


@dataclass(frozen=True)
class Made:
    """What a made-up variant takes, in seconds; `swing` is how far its rounds lie apart.

    `shares` are those of torch's phases, each within the one before, in the first call; `later_s` is compiled later.
    """

    name: str
    steady_s: float
    first_s: float
    prepare_s: float = 0.02
    build_s: float = 0.4
    probe_s: float | None = None
    warm_s: float | None = None
    swing: float = 0.01
    fails: bool = False
    export_s: float | None = None
    shares: tuple[float, ...] = ()
    later_s: float = 0.0


_INDUCTOR = (0.98, 0.88, 0.76, 0.5)
REALISTIC = (
    Made("eager", 0.0213, 0.055, warm_s=0.054),
    Made("compile", 0.0124, 21.4, probe_s=0.05, warm_s=2.9, shares=_INDUCTOR, later_s=9.1),
    Made("compile:mode=max-autotune", 0.0118, 74.0, probe_s=0.05, warm_s=3.4, swing=0.03, shares=(1, 0.95, 0.9, 0.3)),
    Made("compile:backend=eager", 0.0224, 1.2, warm_s=1.1, shares=(0.9,)),
    Made("compile:backend=aot_eager", 0.0212, 2.6, warm_s=2.5, shares=(0.9, 0.5)),
    Made("onnxruntime", 0.0107, 0.3, prepare_s=0.6, export_s=6.3, swing=0.002),
    Made("compile:fullgraph=true", 0.0, 0.0, fails=True),
    Made("eager+threads=1", 0.0190, 0.061, warm_s=0.06, swing=0.08),
)
_LONG = "compile:mode=max-autotune,dynamic=true+channels_last"
EXTREME = (
    Made("eager", 1.2e-5, 2.1e-4),
    Made("compile", 9.1e-6, 8.4, probe_s=0.05),
    Made("compile:mode=reduce-overhead", 1.3e-6, 12.0, probe_s=0.05),
    Made(_LONG, 2.2e-6, 640.0, prepare_s=3.0, probe_s=0.05),
    Made(f"{_LONG}+bfloat16", 1.9e-6, 655.0, prepare_s=3.0, probe_s=0.05),
    Made(f"{_LONG}+bfloat16+threads=1", 3.4e-6, 655.0, probe_s=0.05, swing=0.3),
    Made(_LONG.replace("true", "false"), 2.0e-6, 480.0, probe_s=0.05),
    Made("compile:backend=onnxrt", 1.1e-5, 0.4),
    Made('compile:options="<a&b>"', 1.21e-5, 0.9),
    Made("compile:backend=cudagraphs", 4.0e-4, 0.8, swing=0.2),
    Made("eager+threads=1", 8.0e-2, 1.1),
    Made("eager+bfloat16+channels_last+no_grad+threads=16", 5.0e-6, 3.0e-4),
)


def told(made: Made, *, count: int, twin: bool = False) -> list:
    """Return the events of one variant."""
    names = {"variant": made.name, "twin": twin}
    if made.fails:
        return [failed(made.name)]
    early = tuple(int(made.steady_s * 1e9 * by) for by in (3, 1.5))
    samples = Samples(at_s=3.0, kind="early", first_call=2, calls_per_sample=1, durations_ns=early, **names)
    exported = [] if made.export_s is None else [made.export_s]
    events = [
        *(PhaseEnded(at_s=0.8, phase="export", seconds=seconds, **names) for seconds in exported),
        PhaseEnded(at_s=1.0, phase="build", seconds=made.build_s, **names),
        PhaseEnded(at_s=1.5, phase="prepare", seconds=made.prepare_s, **names),
        *compiled(made, at_s=1.9 + made.first_s, **names),
        FirstCall(at_s=2.0 + made.first_s, duration_ns=int(made.first_s * 1e9), graphs=1, graph_breaks=0, **names),
        samples,
    ]
    if made.probe_s is not None:
        events.insert(0, PhaseEnded(at_s=0.5, phase="probe", seconds=made.probe_s, **names))
    chance = random.Random(f"{made.name}{twin}")
    for number in range(1, count + 1):
        off = 1 + chance.uniform(-made.swing, made.swing)
        ms = [made.steady_s * 1e3 * off * chance.choice((1, 1, 1, 1.01, 1.02, hiccup(chance))) for _ in range(6)]
        in_blocks = 1000 if made.steady_s < SHORT_S else 1
        events.append(
            turn(made.name, number, *(each * in_blocks for each in ms), twin=twin, calls_per_sample=in_blocks)
        )
    if made.warm_s is not None and not twin:
        calls = (int(made.warm_s * 1e9), *early)
        events.append(WarmStarted(at_s=95.0, variant=made.name, build_s=0.4, prepare_s=0.02, durations_ns=calls))
    return events


def hiccup(chance: random.Random) -> float:
    """Return how many times longer a call takes that something came between."""
    return chance.choice((1 + chance.paretovariate(2.5) / 30,) * 9 + (chance.paretovariate(0.8),))


def compiled(made: Made, *, at_s: float, **names: Any) -> list[CompileEnded]:
    """Return what torch tells of the compiles of a made-up variant."""
    phases_s = dict(zip(PHASES, (share * made.first_s for share in made.shares), strict=False))
    if not phases_s:
        return []
    first = {"compile_id": "0/0", "seconds": phases_s["dynamo"], "phases_s": phases_s}
    found = [CompileEnded(at_s=at_s, function="f", **first, **names)]
    if made.later_s:
        late = {"compile_id": "0/1", "seconds": made.later_s, "reason": "size mismatch"}
        found.append(CompileEnded(at_s=at_s + made.later_s + 3, function="f", **late, **names))
    return found


def midway() -> Comparison:
    """Return a study in which one variant still compiles, and another has failed to."""
    fails = replace(REALISTIC[1], name="compile:fullgraph=true")
    events = [started(fails.name, "onnxruntime", "compile:mode=max-autotune"), *told(REALISTIC[0], count=0)]
    events += [one for one in told(fails, count=0) if not isinstance(one, FirstCall)]
    events += [failed(fails.name), *told(REALISTIC[5], count=0)]
    names = {"variant": "compile:mode=max-autotune"}
    events += [
        PhaseEnded(at_s=50.0, phase="prepare", seconds=0.03, **names),
        PhaseBegan(at_s=50.0, phase="first_call", **names),
        CompileBegan(at_s=50.1, compile_id="0/0", **names),
        *compiled(replace(REALISTIC[2], first_s=3.1), at_s=53.0, **names),
        CompileBegan(at_s=53.0, compile_id="1/0", **names),
    ]
    return Comparison(events)


def comparison(variants: tuple[Made, ...], *, count: int = 24, over: bool = True) -> Comparison:
    """Return a comparison of made-up variants, the first being the baseline."""
    events = [started(*(made.name for made in variants[1:]))]
    events += [event for made in variants for event in told(made, count=count)]
    events += told(variants[0], count=count, twin=True)
    if over:
        events += [*finished(*(made.name for made in variants if not made.fails)), ended()]
    made = Comparison(events)
    made.surroundings.modules_s = dict(MODULES_S)
    made.surroundings.probe_s = 9.6
    return made


def pictures(shown: dict[str, Comparison]) -> list[tuple[str, Comparison, str, bool]]:
    """Return every chart of every comparison: a heading, the comparison, the name and whether it starts warm."""
    found = [(f"{title}: {name}", one, name, False) for title, one in shown.items() for name in charts.CHARTS]
    found.insert(3, ("realistic: break_even, warm", shown["realistic"], "break_even", True))
    return found


def svg_page(shown: dict[str, Comparison]) -> str:
    """Return a page with each chart on both backgrounds, wide and narrow."""
    body = ""
    for heading, one, name, warm in pictures(shown):
        body += f"<h3>{heading}</h3><div class=both>"
        for theme in ("light", "dark"):
            drawn = [svg.render(one, name, warm=warm, marks=Marks(), width=width) for width in WIDTHS]
            body += f"<div class={theme}>{'<hr>'.join(drawn)}<p>{len(drawn[0].encode()) / 1000:.1f} kB</p></div>"
        body += "</div>"
    style = (
        "body{margin:0;font:13px system-ui,sans-serif;background:#888}h3{margin:8px}.both{display:flex}"
        ".both>div{padding:16px;flex:none;width:660px}.light{background:#fff;color:#222}"
        ".dark{background:#111;color:#ddd}p{opacity:.5}hr{opacity:.2}"
    )
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{body}"


def figures_page(shown: dict[str, Comparison], *, dark: bool) -> str:
    """Return a page with each chart as plotly draws it; it brings plotly's script along."""
    body = ""
    for heading, one, name, warm in pictures(shown):
        drawn = figures.figure(one, name, warm=warm, dark=dark)
        body += f"<h3>{heading}</h3>" + drawn.to_html(full_html=False, include_plotlyjs=not body, default_width="900px")
    colors = "background:#111;color:#ddd" if dark else "background:#fff;color:#222"
    return f"<!doctype html><meta charset=utf-8><body style='font:13px system-ui;{colors}'>{body}"


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    same = tuple(replace(made, steady_s=0.0213, fails=False) for made in REALISTIC[:2])
    shown = {
        "realistic": comparison(REALISTIC),
        "extreme": comparison(EXTREME),
        "one variant that is the same": comparison(same),
        "after three rounds": comparison(REALISTIC, count=3, over=False),
        "while one compiles": midway(),
        "nothing yet": Comparison([started("compile")]),
    }
    (folder / "svg.html").write_text(svg_page(shown), encoding="utf-8")
    for theme in ("light", "dark"):
        page = figures_page(shown, dark=theme == "dark")
        (folder / f"figures-{theme}.html").write_text(page, encoding="utf-8")
    for name in charts.CHARTS:
        alone = svg.render(shown["realistic"], name, standalone=True)
        (folder / f"{name}.svg").write_text(alone, encoding="utf-8")


if __name__ == "__main__":
    main()
