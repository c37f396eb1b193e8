"""The problem: parameters, the conditions and constraints between them, the map to the unit cube, the objectives.

Belongs here: everything that is true of a problem before a model exists. Doesn't: models, trials, storage.
"""

from engine.space.outcomes import Objective, OutcomeConstraint
from engine.space.parameters import Categorical, Float, Int, Parameter
from engine.space.search_space import SearchSpace

__all__ = ["Categorical", "Float", "Int", "Objective", "OutcomeConstraint", "Parameter", "SearchSpace"]
