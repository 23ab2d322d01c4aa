from trainer import Config, train


def losses(config, seed):
    reported = []
    train(config, seed, lambda step, values: reported.append(values["val_loss"]))
    return reported


def test_every_tree_is_reported_and_helps():
    reported = losses(Config(trees=5), seed=0)
    assert len(reported) == 5
    assert reported[-1] < reported[0]


def test_a_seed_repeats_a_run():
    assert losses(Config(trees=3), seed=1) == losses(Config(trees=3), seed=1) != losses(Config(trees=3), seed=2)


def test_it_stops_when_it_is_asked_to():
    reported = []
    train(Config(trees=5), 0, lambda step, values: reported.append(step) or step == 2)
    assert reported == [1, 2]
