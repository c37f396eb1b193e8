"""Machine-learning models: which model, and how it is set, judged by cross-validation on real data.

Belongs here: data sets with their splits, models as a conditional space. Doesn't: trading on a forecast (strategy).
"""

from engine.objectives.model.classifier import CLASSIFIER, classifier

ENTRIES = (CLASSIFIER,)

__all__ = ["ENTRIES", "classifier"]
