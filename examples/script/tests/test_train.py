from train import split, train


def test_the_rows_that_it_validates_on_are_not_those_that_it_trains_on():
    train_rows, _, val_rows, _ = split(seed=0)
    assert not {tuple(row) for row in train_rows} & {tuple(row) for row in val_rows}


def test_it_learns_and_a_seed_repeats_it():
    (*_, (epoch, loss, accuracy)) = train(lr=0.1, batch_size=32, epochs=5, seed=1)
    assert epoch == 5
    assert accuracy > 0.9
    assert [*train(lr=0.1, batch_size=32, epochs=5, seed=1)][-1] == (epoch, loss, accuracy)
