"""The widgets: the only place that imports ipywidgets and anywidget."""

from optkit.widgets.explorer import Explorer, explore
from optkit.widgets.live import LatencyPlot
from optkit.widgets.picker import VariantPicker
from optkit.widgets.variant_list import VariantList

__all__ = ["Explorer", "LatencyPlot", "VariantList", "VariantPicker", "explore"]
