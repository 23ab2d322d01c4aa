"""Random forests on tables that come with scikit-learn; each seed splits the table and grows the trees anew."""

from dataclasses import dataclass

from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

TABLES = {
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


@dataclass(frozen=True)
class Config:
    """Which table, and how many trees."""

    data: str = "iris"
    trees: int = 10


def train(config: Config, seed: int, report):
    """Grow a forest and report on the half of the table that it has not seen."""
    table, answers = TABLES[config.data](return_X_y=True)
    x, x_val, y, y_val = train_test_split(table, answers, test_size=0.5, stratify=answers, random_state=seed)
    forest = RandomForestClassifier(n_estimators=config.trees, random_state=seed).fit(x, y)
    report(1, {"val_acc": forest.score(x_val, y_val)})
