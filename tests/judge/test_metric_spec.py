"""Metrics as a command line declares them."""

import pytest

from ablate.judge.metric_spec import parse_metric, text_of


@pytest.mark.parametrize(
    "text", ["acc:max", "loss:min[0.0..]:nats", "val/f1:max[0.0..1.0]", "a:b:min[..-1.5]:s:x", "n:exact-min[0.0..]"]
)
def test_a_declaration_is_read_back_as_it_was_written(text):
    assert text_of(parse_metric(text)) == text
    assert parse_metric(text).exact == ("exact-" in text)
