"""The widgets: the only place that imports ipywidgets and anywidget."""

from optkit.widgets.comparison_view import ComparisonView
from optkit.widgets.door import explore
from optkit.widgets.explorer import Explorer
from optkit.widgets.live import LatencyPlot
from optkit.widgets.picker import VariantPicker
from optkit.widgets.variant_list import VariantList

__all__ = ["ComparisonView", "Explorer", "LatencyPlot", "VariantList", "VariantPicker", "explore"]
