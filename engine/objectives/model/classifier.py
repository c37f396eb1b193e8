"""A classifier of scikit-learn: four families with their own parameters, the architecture of a network among them."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.objectives.catalogue import ObjectiveEntry, Setting, read_arguments
from engine.objectives.context import Context
from engine.objectives.model.datasets import BUNDLED, MARKETS, Dataset, load
from engine.space import Categorical, Float, Int, Objective, Parameter, SearchSpace

_STEPS = 5
"""Points of the learning curve: each grows the model by a fifth of its trees, iterations or epochs."""


def _when(family: str, parameters: list[Parameter]) -> list[Parameter]:
    return [dataclasses.replace(p, name=f"{family}_{p.name}", when=p.when or {"family": family}) for p in parameters]


CLASSIFIER = ObjectiveEntry(
    path="engine.objectives.model:classifier",
    title="Classifier, family and architecture included",
    summary=(
        "Gradient boosting, random forest, support-vector machine or neural network (depth and widths included) by "
        "cross-validation on a data set of scikit-learn, or on the five-day direction of a market with purged folds. "
        "A quarter of the rows is held out. 0.1 to 10 s; the folds are fixed, the models' own randomness is noise."
    ),
    area="model",
    space=SearchSpace(
        [
            Categorical("family", ("boosting", "forest", "svm", "network")),
            Categorical("scaling", ("none", "standard", "quantile"), help="What is done to the features before"),
            *_when("boosting", [
                Float("learning_rate", 0.01, 0.5, log=True),
                Int("iterations", 20, 200, log=True),
                Int("leaves", 4, 64, log=True, help="Leaves of a tree"),
                Int("leaf_rows", 2, 60, log=True, help="Least rows of a leaf"),
                Float("l2", 1e-6, 10.0, log=True),
            ]),
            *_when("forest", [
                Int("trees", 20, 200, log=True),
                Float("features", 0.05, 1.0, log=True, help="Share of the features that a split may choose from"),
                Int("leaf_rows", 1, 30, log=True, help="Least rows of a leaf"),
                Int("depth", 2, 30, log=True),
            ]),
            *_when("svm", [
                Float("c", 0.01, 1000.0, log=True),
                Float("gamma", 0.001, 100.0, log=True, help="Multiple of one over the number of features"),
            ]),
            *_when("network", [
                Int("layers", 1, 3),
                Int("width", 8, 128, log=True, help="Units of the first layer"),
                Int("width2", 8, 128, log=True, when={"network_layers": [2, 3]}, help="Units of the second layer"),
                Int("width3", 8, 128, log=True, when={"network_layers": [3]}, help="Units of the third layer"),
                Categorical("activation", ("relu", "tanh")),
                Float("alpha", 1e-6, 1.0, log=True, help="Weight decay"),
                Float("learning_rate", 1e-4, 0.1, log=True),
                Int("epochs", 10, 100, log=True),
            ]),
        ]
    ),
    objectives=(Objective("accuracy", "maximize"),),
    defaults={
        "family": "boosting", "scaling": "none", "boosting_learning_rate": 0.1, "boosting_iterations": 100,
        "boosting_leaves": 31, "boosting_leaf_rows": 20, "boosting_l2": 1e-6,
    },
    settings=(
        Setting("dataset", "breast_cancer", "What it learns.", choices=(*BUNDLED, *MARKETS)),
        Setting("folds", 5, "Parts of the cross-validation.", low=2, high=20),
        Setting("split_seed", 0, "Seed of the folds and of the rows held out.", low=0, high=2**31),
    ),
    outcomes={
        "accuracy": "Cross-validated share of right classes",
        "auc": "Cross-validated area under the ROC curve, one class against the rest",
        "overfit_gap": "Accuracy on the rows that it learnt from less the cross-validated one",
        "fold_deviation": "Standard deviation of the accuracy over the folds",
        "accuracy_test": "Accuracy on the quarter of the rows held out (for a market the latest), fitted on the others",
        "auc_test": "Area under the ROC curve on the rows held out",
        "fit_seconds": "CPU time of fitting one model on this host, in s",
        "majority_accuracy": "Accuracy on the rows held out of always saying the most frequent class",
        "logistic_accuracy_test": "Accuracy on the rows held out of a logistic regression at its defaults",
    },
)  # fmt: skip


def _estimator(values: Mapping[str, Any], n_features: int, seed: int) -> Any:
    """The model of a point. Parameters that a study leaves out have scikit-learn's default."""
    get = values.get
    if values["family"] == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=get("boosting_learning_rate", 0.1),
            max_leaf_nodes=get("boosting_leaves", 31),
            min_samples_leaf=get("boosting_leaf_rows", 20),
            l2_regularization=get("boosting_l2", 0.0),
            early_stopping=False,
            warm_start=True,
            random_state=seed,
        )
    if values["family"] == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(
            max_features=get("forest_features", "sqrt"),
            min_samples_leaf=get("forest_leaf_rows", 1),
            max_depth=get("forest_depth"),
            warm_start=True,
            random_state=seed,
        )
    if values["family"] == "svm":
        from sklearn.svm import SVC

        return SVC(C=get("svm_c", 1.0), gamma=get("svm_gamma", 1.0) / n_features)
    from sklearn.neural_network import MLPClassifier

    widths = [get("network_width", 100), get("network_width2", 100), get("network_width3", 100)]
    return MLPClassifier(
        tuple(widths[: get("network_layers", 1)]),
        activation=get("network_activation", "relu"),
        alpha=get("network_alpha", 1e-4),
        learning_rate_init=get("network_learning_rate", 1e-3),
        random_state=seed,
    )


class _Growing:
    """A scaled model that is fitted in _STEPS steps."""

    def __init__(self, values: Mapping[str, Any], X: np.ndarray, y: np.ndarray, seed: int) -> None:
        self.values, self.y, self.classes = values, y, np.unique(y)
        self.scale = _scaler(values["scaling"], X)
        self.X = self.scale(X)
        self.model = _estimator(values, X.shape[1], seed)
        self.epochs = 0

    @property
    def steps(self) -> int:
        """Steps until it is fitted: a support-vector machine can't be grown."""
        return 1 if self.values["family"] == "svm" else _STEPS

    def grow(self, step: int) -> None:
        family, get = self.values["family"], self.values.get
        if family == "network":
            until = math.ceil(get("network_epochs", 50) * step / _STEPS)
            while self.epochs < until:
                self.model.partial_fit(self.X, self.y, classes=self.classes)
                self.epochs += 1
            return
        if family == "boosting":
            self.model.set_params(max_iter=math.ceil(get("boosting_iterations", 100) * step / _STEPS))
        elif family == "forest":
            self.model.set_params(n_estimators=math.ceil(get("forest_trees", 100) * step / _STEPS))
        self.model.fit(self.X, self.y)

    def accuracy(self, X: np.ndarray, y: np.ndarray) -> float:
        return float(np.mean(self.model.predict(self.scale(X)) == y))

    def auc(self, X: np.ndarray, y: np.ndarray) -> float:
        """Mean over the classes that occur of the area under the ROC curve, one against the rest."""
        from scipy.stats import rankdata

        decide = getattr(self.model, "decision_function", None) or self.model.predict_proba
        scores = decide(self.scale(X))
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        areas = []
        for c, kind in enumerate(self.classes):
            positive = y == kind
            m = int(positive.sum())
            if 0 < m < len(y):
                ranks = rankdata(scores[:, c])[positive].sum()
                areas.append((ranks - m * (m + 1) / 2) / (m * (len(y) - m)))
        return float(np.mean(areas))


def _scaler(name: str, X: np.ndarray) -> Any:
    """A function that scales features as learnt on X alone."""
    if name == "none":
        return lambda values: values
    if name == "standard":
        mean, deviation = X.mean(axis=0), X.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        return lambda values: (values - mean) / deviation
    from sklearn.preprocessing import QuantileTransformer

    return QuantileTransformer(n_quantiles=min(200, len(X)), output_distribution="normal").fit(X).transform


@functools.cache
def _baselines(name: str, folds: int, split_seed: int) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression

    data = load(name, folds, split_seed)
    scale = _scaler("standard", data.X[data.fit])
    y, test = data.y[data.fit], data.y[data.test]
    logistic = LogisticRegression(max_iter=1000).fit(scale(data.X[data.fit]), y)
    return {
        "majority_accuracy": float(np.mean(test == np.bincount(y).argmax())),
        "logistic_accuracy_test": float(np.mean(logistic.predict(scale(data.X[data.test])) == test)),
    }


def classifier(params: Mapping[str, Any], context: Context | None = None) -> dict[str, float]:
    """Cross-validates a model; see ``CLASSIFIER`` for parameters and outcomes.

    Reports the mean accuracy over the folds at every step of the models' growth. One thread.
    """
    import sklearn.ensemble  # noqa: F401  (brings the thread pools that the limit below must find)
    from threadpoolctl import threadpool_limits

    context = context or Context()
    values, settings = read_arguments(CLASSIFIER, params, context)
    name = (settings["dataset"], settings["folds"], settings["split_seed"])
    with threadpool_limits(1):  # boosting with a thread a core is many times slower on a busy host
        return _cross_validate(load(*name), values, context) | _baselines(*name)


def _cross_validate(data: Dataset, values: Mapping[str, Any], context: Context) -> dict[str, float]:
    X, y, seed = data.X, data.y, context.seed % 2**32
    models = [_Growing(values, X[train], y[train], seed) for train, _ in data.folds]
    for step in range(1, models[0].steps + 1):
        for model in models:
            model.grow(step)
        accuracies = [m.accuracy(X[v], y[v]) for m, (_, v) in zip(models, data.folds)]
        context.report(step, float(np.mean(accuracies)))
    learnt = [m.accuracy(X[train], y[train]) for m, (train, _) in zip(models, data.folds)]
    aucs = [m.auc(X[v], y[v]) for m, (_, v) in zip(models, data.folds)]
    start = time.process_time()
    final = _Growing(values, X[data.fit], y[data.fit], seed)
    for step in range(1, final.steps + 1):
        final.grow(step)
    seconds = time.process_time() - start
    accuracy = float(np.mean(accuracies))
    return {
        "accuracy": accuracy,
        "auc": float(np.mean(aucs)),
        "overfit_gap": float(np.mean(learnt)) - accuracy,
        "fold_deviation": float(np.std(accuracies)),
        "accuracy_test": final.accuracy(X[data.test], y[data.test]),
        "auc_test": final.auc(X[data.test], y[data.test]),
        "fit_seconds": seconds,
    }
