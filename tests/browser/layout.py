"""What can be measured of a page: what hangs out of it, what moves, and what colours it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

OVERFLOWING = """root => {
  const scrolls = (element) => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(element).overflowX);
  const held = (element) => {
    for (let one = element.parentElement; one !== root; one = one.parentElement) if (scrolls(one)) return true;
    return false;
  };
  const right = root.getBoundingClientRect().right + 1;
  return [...root.querySelectorAll("*")]
    .filter((element) => element.getClientRects().length && !held(element))
    .filter((element) => element.getBoundingClientRect().right > right)
    .map((element) => element.outerHTML.slice(0, 200));
}"""
MOVING = """root => [...root.querySelectorAll("*")].filter((element) => {
  const { transitionDuration, animationName } = getComputedStyle(element);
  return animationName !== "none" || transitionDuration.split(", ").some((one) => one !== "0s");
}).map((element) => element.outerHTML.slice(0, 200))"""
OBEYED = """root => [...root.querySelectorAll("*")].filter((element) =>
  ["IMG", "SCRIPT", "STYLE", "IFRAME", "OBJECT", "A", "MJX-CONTAINER"].includes(element.tagName)
  || element.classList.contains("MathJax") || element.getAttributeNames().some((name) => name.startsWith("on"))
).map((element) => element.outerHTML.slice(0, 200))"""
INK = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, 50 * devicePixelRatio, canvas.height);
  let [sum, count] = [0, 0];
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b, alpha] = data.slice(i, i + 4);
    if (alpha > 100 && Math.max(r, g, b) - Math.min(r, g, b) < 8) [sum, count] = [sum + g, count + 1];
  }
  return count ? sum / count : null;
}"""
TEXTS = """root => [...root.querySelectorAll("svg text")].map((element) => getComputedStyle(element).fill)"""


def overflowing(root: Locator) -> list[str]:
    """Return what reaches out of an element to the right, and is in nothing that scrolls."""
    return root.evaluate(OVERFLOWING)


def moving(root: Locator) -> list[str]:
    """Return what has a transition or an animation."""
    return root.evaluate(MOVING)


def obeyed(root: Locator) -> list[str]:
    """Return elements that only a text which was taken for markup could have made."""
    return root.evaluate(OBEYED)


def ink(canvas: Locator) -> float | None:
    """Return how bright what is written at the left edge of a plot is: 0 is black, 255 white; None without any."""
    return canvas.evaluate(INK)


def chart_inks(root: Locator) -> set[str]:
    """Return the colours of the texts in charts."""
    return set(root.evaluate(TEXTS))
