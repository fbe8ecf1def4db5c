"""Python that builds the user's model and inputs anew, in the user's own terms: without optkit and without pickles."""

from optkit.building.built import Built, inputs, model

__all__ = ["Built", "inputs", "model"]
