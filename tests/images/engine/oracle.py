"""Plain loops over one model with torch.optim and its schedulers: what the engine must agree with."""

import math

import torch
from torch import Tensor, nn

from ablate.images.data import Images
from ablate.images.engine.init import initial_parameters
from ablate.images.engine.streams import stream
from ablate.images.networks import build
from ablate.images.run import RunConfig


def optimizer_of(config: RunConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    o = config.optimizer
    common = {"lr": o.lr, "weight_decay": o.weight_decay}
    match o.name:
        case "sgd":
            return torch.optim.SGD(parameters, momentum=o.momentum, nesterov=o.nesterov, **common)
        case "adagrad":
            return torch.optim.Adagrad(parameters, lr_decay=o.lr_decay, eps=o.eps, **common)
        case "adam":
            return torch.optim.Adam(parameters, betas=(o.beta1, o.beta2), eps=o.eps, **common)
        case "adamw":
            return torch.optim.AdamW(parameters, betas=(o.beta1, o.beta2), eps=o.eps, **common)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, alpha=o.alpha, eps=o.eps, momentum=o.momentum, **common)
    raise AssertionError(o.name)


def schedulers_of(
    config: RunConfig, optimizer: torch.optim.Optimizer, steps: int
) -> tuple[torch.optim.lr_scheduler.LRScheduler | None, torch.optim.lr_scheduler.LRScheduler | None]:
    """Those stepped after each batch and after each epoch."""
    s, total = config.schedule, steps * config.train.epochs
    schedulers = torch.optim.lr_scheduler
    match s.name:
        case "constant":
            return None, None
        case "step":
            return None, schedulers.StepLR(optimizer, s.step_size, s.gamma)
        case "cosine":
            return schedulers.CosineAnnealingLR(optimizer, total, config.optimizer.lr * s.final_ratio), None
        case "one_cycle":
            cycle = schedulers.OneCycleLR(
                optimizer,
                config.optimizer.lr,
                total,
                pct_start=s.pct_start,
                div_factor=s.div_factor,
                final_div_factor=s.final_div_factor,
                cycle_momentum=False,
            )
            return cycle, None
        case "warmup":
            return schedulers.LinearLR(optimizer, s.start_ratio, 1.0, s.warmup_epochs * steps), None
    raise AssertionError(s.name)


def plain_run(config: RunConfig, images: Images, epochs: int) -> tuple[dict[str, Tensor], list[tuple[float, float]]]:
    """Train one model in the textbook's way: initial weights and order as the engine's, everything else torch's own.

    Returns:
        Parameters by name, and (train loss, train accuracy) of each epoch.
    """
    classes = len(images.classes)
    model = build(config.model, images.train_images.shape[1], config.data.input_size, classes)
    with torch.no_grad():
        for name, value in initial_parameters(model, config.train, config.seed).items():
            model.get_parameter(name).copy_(value)
    x_all = images.train_images / 255.0
    samples, batch = len(x_all), config.train.batch_size
    optimizer = optimizer_of(config, list(model.parameters()))
    each_batch, each_epoch = schedulers_of(config, optimizer, math.ceil(samples / batch))
    if config.train.loss == "mse":

        def criterion(outputs, labels):
            return nn.functional.mse_loss(outputs, nn.functional.one_hot(labels, classes).float())

    else:
        criterion = nn.CrossEntropyLoss(label_smoothing=config.train.label_smoothing)
    curve = []
    for epoch in range(epochs):
        order = torch.randperm(samples, generator=stream(config.seed, "order", epoch))
        loss_sum, correct = 0.0, 0
        for chosen in order.split(batch):
            x, labels = x_all[chosen], images.train_labels[chosen]
            outputs = model(x)
            loss = criterion(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if each_batch is not None:
                each_batch.step()
            loss_sum += loss.item() * len(chosen)
            correct += int((outputs.argmax(1) == labels).sum())
        if each_epoch is not None:
            each_epoch.step()
        curve.append((loss_sum / samples, correct / samples))
    return {name: p.detach() for name, p in model.named_parameters()}, curve
