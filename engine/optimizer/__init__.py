"""Ask and tell: joins space, surrogate and acquisition.

Belongs here: the bookkeeping of trials, which models are fitted to what, the choice and the explanation of
suggestions, and the record from which a model is rebuilt. Doesn't: linear algebra, storage, running anything.
"""

from engine.optimizer.build import rebuild
from engine.optimizer.optimizer import Optimizer
from engine.optimizer.plan import check_options
from engine.optimizer.suggestion import Best, Suggestion
from engine.optimizer.surrogate import Surrogate

__all__ = ["Best", "Optimizer", "Suggestion", "Surrogate", "check_options", "rebuild"]
