"""Sphinx's settings for the site that `make site` builds; scripts/site.py puts its pages together."""

import optkit

project = "optkit"
author = "The optkit developers"
version = release = optkit.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
html_theme = "furo"
html_title = f"optkit {optkit.__version__}"
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
suppress_warnings = ["ref.python"]  # a name in a docstring may be that of several attributes
# Notebooks come executed; the site shows what they showed.
nb_execution_mode = "off"
nb_merge_streams = True
myst_heading_anchors = 3
numpydoc_show_class_members = False  # autodoc lists them
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say it in words
autodoc_default_options = {"members": True, "undoc-members": False}
