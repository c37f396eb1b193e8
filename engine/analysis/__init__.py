"""The numbers behind each picture: axes, slices, surfaces, progress, health in words.

Inputs are a search space, a rebuilt surrogate and store rows; outputs are frozen results of arrays and sentences that
say what they were computed on. No plotting, no SQL, no fitting: a picture never costs a model.
"""

from engine.analysis.axes import Axis, axes, axis
from engine.analysis.candidates import Explanation, explain
from engine.analysis.finish import Forecast, duration_words, forecast
from engine.analysis.health import Check, health
from engine.analysis.observations import Observations, observations
from engine.analysis.progress import Progress, progress
from engine.analysis.slices import Slice, anchor_row, closeness, closeness_to_plane, slices
from engine.analysis.surface import Surface, surface
from engine.analysis.trust import Trust, trust

__all__ = [
    "Axis",
    "Check",
    "Explanation",
    "Forecast",
    "Observations",
    "Progress",
    "Slice",
    "Surface",
    "Trust",
    "anchor_row",
    "axes",
    "axis",
    "closeness",
    "closeness_to_plane",
    "duration_words",
    "explain",
    "forecast",
    "health",
    "observations",
    "progress",
    "slices",
    "surface",
    "trust",
]
