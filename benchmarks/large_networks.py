"""AlexNet's and ResNet-18's throughput alone and in cohorts, fp32 and bf16, beside a plain loop over torchvision's own.

    python -m benchmarks.large_networks                     # on the first CUDA device
    python -m benchmarks.large_networks --device cpu --size 64 --batch 4 --samples 16 --members 1 2 --seconds 0.1

All train torchvision's forms with SGD and momentum on random colour pictures that lie on the device, 1000 classes. Ours
includes all that a sweep does in an epoch (orders, batches, loss and accuracy); the plain loop takes slices of the same
pictures, scales them, and reads nothing back. Each is measured in turn, ``--repeats`` times; shown are medians.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torchvision
from torch import Tensor

from ablate.images.config import SGD, AlexNet, Network, ResNet, Train
from ablate.images.config.data import ImageData
from ablate.images.data import Images
from ablate.images.engine.measure import measure
from ablate.images.run import RunConfig
from benchmarks.machine import machine
from benchmarks.options import amount, positive, target

CLASSES = 1000
LR, MOMENTUM = 0.01, 0.9
NETWORKS: dict[str, tuple[Network, Callable[..., torch.nn.Module]]] = {
    "alexnet": (AlexNet(form="torchvision"), torchvision.models.alexnet),
    "resnet18": (ResNet(form="torchvision"), torchvision.models.resnet18),
}


class Random(ImageData):
    """Pictures of noise."""

    name: Literal["random"] = "random"
    side: int = 224

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return (self.side, self.side)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and, where asked, write.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--networks", nargs="+", choices=[*NETWORKS], default=[*NETWORKS])
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"])
    parser.add_argument("--members", nargs="+", type=positive, default=[1, 4], help="of a cohort (default: 1 4)")
    parser.add_argument("--batch", type=positive, default=128, help="images a step (default: 128)")
    parser.add_argument("--size", type=positive, default=224, help="side of an image, in pixels (default: 224)")
    parser.add_argument("--samples", type=positive, default=2048, help="images of an epoch (default: 2048)")
    parser.add_argument("--seconds", type=amount, default=3.0, help="of every measurement (default: 3)")
    parser.add_argument("--repeats", type=positive, default=3, help="of every measurement (default: 3)")
    parser.add_argument("--out", type=target, help="file for the figures as JSON")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    images = _images(options.samples, options.size, device)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    facts = machine() | {"card": card, "command": sys.argv[1:] if arguments is None else list(arguments)}
    rows = []
    for name in options.networks:
        for precision in options.precisions:
            rates: dict[str, list[float]] = {}
            for _ in range(options.repeats):
                found = _plain(name, precision, images, options.batch, device, options.seconds)
                rates.setdefault("torchvision", []).append(found)
                for members in options.members:
                    found = _ours(name, precision, images, options, device, members)
                    rates.setdefault(f"ablate, {members} together", []).append(found)
            plain = statistics.median(rates["torchvision"])
            for loop, values in rates.items():
                row = {"network": name, "precision": precision, "loop": loop, "samples_per_second": values}
                rows.append(row)
                rate = statistics.median(values)
                print(
                    f"{name:9} {precision}  {loop:20} {rate:10.1f} samples/s  {rate / plain:5.2f} x torchvision",
                    flush=True,
                )
    print(f"{card}; torch {torch.__version__}; batch {options.batch}, {options.size} x {options.size}")
    if options.out is not None:
        options.out.write_text(json.dumps({"facts": facts, "rows": rows}, indent=2) + "\n")
    return 0


def _images(samples: int, side: int, device: torch.device) -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (samples, 3, side, side), dtype=torch.uint8, generator=generator).to(device)
    labels = torch.randint(CLASSES, (samples,), generator=generator).to(device)
    mean, std = (torch.full((3,), value, device=device) for value in (0.5, 0.289))
    return Images(pixels, labels, pixels[:1], labels[:1], tuple(map(str, range(CLASSES))), mean, std)


def _ours(name: str, precision: Any, images: Images, options: Any, device: torch.device, members: int) -> float:
    """Samples times members a second."""
    run = RunConfig(
        model=NETWORKS[name][0],
        data=Random(side=options.size, normalize=True),
        optimizer=SGD(lr=LR, momentum=MOMENTUM),
        train=Train(batch_size=options.batch, epochs=1, init="kaiming_uniform", precision=precision),
    )
    runs = [run.with_seed(seed) for seed in range(members)]
    return measure(runs, images, device=device, seconds=options.seconds).samples_per_second


def _plain(name: str, precision: str, images: Images, batch: int, device: torch.device, seconds: float) -> float:
    """Samples a second of the loop that everybody writes."""
    torch.manual_seed(0)
    model = NETWORKS[name][1](num_classes=CLASSES).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM)
    starts = range(0, len(images.train_labels) - batch + 1, batch)

    def step(start: int) -> None:
        pixels: Tensor = images.train_images[start : start + batch] / 255.0
        x = (pixels - images.mean[:, None, None]) / images.std[:, None, None]
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = torch.nn.functional.cross_entropy(model(x), images.train_labels[start : start + batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for start in list(starts)[:2]:
        step(start)
    _wait(device)
    begun, done = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        for start in starts:
            step(start)
            done += batch
        _wait(device)
    return done / (time.perf_counter() - begun)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    sys.exit(main())
