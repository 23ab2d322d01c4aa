"""What a run is: typed, frozen, validated configuration and its identity. Knows neither torch nor the store."""

from ablate.config.base import ConfigError, identity_fields
from ablate.config.data import DataConfig, FashionMNIST, ImageFolder, Mnist
from ablate.config.launch import Launch, parse_launch
from ablate.config.model import AlexNet, LeNet, ModelConfig
from ablate.config.optimizer import SGD, Adagrad, Adam, AdamW, OptimizerConfig, RMSprop
from ablate.config.run import ENGINE_VERSION, RunConfig, parse_run
from ablate.config.schedule import Constant, Cosine, OneCycle, ScheduleConfig, Step, WarmUp
from ablate.config.train import Train

__all__ = [
    "ENGINE_VERSION",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "AlexNet",
    "ConfigError",
    "Constant",
    "Cosine",
    "DataConfig",
    "FashionMNIST",
    "ImageFolder",
    "Launch",
    "LeNet",
    "Mnist",
    "ModelConfig",
    "OneCycle",
    "OptimizerConfig",
    "RMSprop",
    "RunConfig",
    "ScheduleConfig",
    "Step",
    "Train",
    "WarmUp",
    "identity_fields",
    "parse_launch",
    "parse_run",
]
