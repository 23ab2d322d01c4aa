"""Gradient boosting on scikit-learn's breast cancer table: one step is one tree more."""

from dataclasses import dataclass

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split


@dataclass(frozen=True)
class Config:
    """Its defaults are the baseline; names and types are checked before anything is trained."""

    learning_rate: float = 0.1
    max_depth: int = 2
    subsample: float = 0.8
    trees: int = 20


def train(config: Config, seed: int, report):
    """Fit a model and report on the quarter of the table that it has not seen."""
    table, answers = load_breast_cancer(return_X_y=True)
    x, x_val, y, y_val = train_test_split(table, answers, test_size=0.25, stratify=answers, random_state=seed)
    model = GradientBoostingClassifier(
        learning_rate=config.learning_rate,
        max_depth=config.max_depth,
        subsample=config.subsample,
        n_estimators=config.trees,
        random_state=seed,
    )
    model.fit(x, y)
    for tree, probabilities in enumerate(model.staged_predict_proba(x_val), start=1):
        accuracy = (probabilities.argmax(axis=1) == y_val).mean()
        if report(tree, {"val_loss": log_loss(y_val, probabilities), "val_acc": accuracy}):
            return
