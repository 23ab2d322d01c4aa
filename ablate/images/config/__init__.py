"""The hyperparameters of an image classifier's training: typed, frozen, validated. Knows no torch."""

from ablate.images.config.data import Cifar10, FashionMNIST, ImageData, ImageFolder, Mnist
from ablate.images.config.early_lenets import LeNet1, LeNet4
from ablate.images.config.model import AlexNet, LeNet, Network
from ablate.images.config.nin import Nin
from ablate.images.config.optimizer import SGD, Adagrad, Adam, AdamW, OptimizerConfig, RMSprop
from ablate.images.config.resnet import ResNet
from ablate.images.config.schedule import Constant, Cosine, OneCycle, ScheduleConfig, Step, WarmUp
from ablate.images.config.train import Train
from ablate.images.config.vgg import Vgg

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AlexNet",
    "Cifar10",
    "Constant",
    "Cosine",
    "FashionMNIST",
    "ImageData",
    "ImageFolder",
    "LeNet",
    "LeNet1",
    "LeNet4",
    "Mnist",
    "Network",
    "Nin",
    "OneCycle",
    "OptimizerConfig",
    "RMSprop",
    "ResNet",
    "ScheduleConfig",
    "Step",
    "Train",
    "Vgg",
    "WarmUp",
]
