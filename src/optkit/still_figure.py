"""A plotly figure that also shows itself where nothing runs plotly: in viewers, galleries and mails. Imports plotly."""

from __future__ import annotations

from typing import Any

from plotly.graph_objects import Figure


class StillFigure(Figure):  # type: ignore[misc]
    """An interactive figure that carries a picture of the same chart.

    A cell's output holds both, and each viewer takes the one that it can show: JupyterLab plotly's, others the picture.
    Plotly's own output for notebooks is a script of megabytes instead, and blank where scripts do not run.

    Parameters
    ----------
    picture
        The chart as SVG that stands alone. It does not follow what is changed in the figure later.
    """

    # IPython asks these as well; plotly's own would give its script.
    _ipython_display_ = None
    _repr_html_ = None

    def __init__(self, *args: Any, picture: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._picture = picture

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"application/vnd.plotly.v1+json": self.to_plotly_json(), "text/plain": self._words()}
        return shown | ({"image/svg+xml": self._picture} if self._picture else {})

    def _words(self) -> str:
        """Return what the chart says, as one reads it where there are no pictures."""
        return f"{self.layout.title.text}: {self.layout.meta}"
