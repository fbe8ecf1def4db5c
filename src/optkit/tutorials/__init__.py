"""The tutorial notebooks: found, run with papermill one process each, judged, listed, and shown as a gallery."""
