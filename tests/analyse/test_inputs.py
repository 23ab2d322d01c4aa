import pytest

from ablate.analyse import AnalysisError
from ablate.analyse.inputs import by_name, find_metric
from ablate.task.metric import Metric


def test_metrics_come_by_name_or_one_after_the_other():
    score, speed = Metric("score", "max"), Metric("speed", "min", low=0.0)
    assert by_name([score, speed]) == by_name({"score": score, "speed": speed}) == {"score": score, "speed": speed}
    assert find_metric([score, speed], "speed") is speed
    with pytest.raises(AnalysisError, match="metric 'f1' is not declared; metrics are score, speed"):
        find_metric([score, speed], "f1")
    with pytest.raises(AnalysisError, match="'score' is declared twice"):
        by_name([score, Metric("score", "min")])
