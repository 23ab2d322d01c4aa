import torch
from tiles.metric import WorstRecall
from tiles.network import SmallResNet
from tiles.photographs import PhotoTiles


def test_the_network_has_a_score_for_each_class_of_each_picture():
    for config in (SmallResNet(), SmallResNet(skip=False, norm=False, stages=1)):
        scores = config.build(in_channels=3, input_size=(32, 32), classes=3)(torch.zeros(2, 3, 32, 32))
        assert scores.shape == (2, 3)


def test_the_data_are_pictures_with_labels_of_its_classes():
    arrays = PhotoTiles().read()
    assert arrays.train_images.shape[1:] == (3, 32, 32)
    assert len(arrays.train_images) == len(arrays.train_labels)
    assert set(arrays.train_labels) == set(arrays.test_labels) == set(range(len(arrays.classes)))


def test_the_metric_is_the_recall_of_the_worst_class():
    scores = torch.eye(3)[[0, 0, 1, 0, 2, 2]].unsqueeze(0)
    labels = torch.tensor([[0, 0, 1, 1, 2, 2]])
    metric = WorstRecall()
    assert metric.value(metric.count(scores, labels)).tolist() == [0.5]
