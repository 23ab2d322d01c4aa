import hashlib
import shutil

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from ablate.images.config import ImageFolder
from ablate.images.data import content_digest, describe, fetch, lines, load, verify, where
from ablate.images.data.layout import layout_of
from ablate.images.data.listing import list_folder
from ablate.images.data.picture_names import ENDINGS
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")


def folder(root, **fields):
    return ImageFolder(root=str(root), **({"stored": 16} | fields))


def problems(action, *args):
    with pytest.raises(ConfigError) as caught:
        action(*args)
    return caught.value.problems


def test_the_listing_is_torchvisions(photos):
    reference = torchvision.datasets.ImageFolder(str(photos))
    layout = layout_of(list_folder(photos))
    assert set(torchvision.datasets.folder.IMG_EXTENSIONS) < set(ENDINGS)
    assert list(layout.classes) == reference.classes == ["Cat", "ant", "bee"]
    listed = [(str(photos / path), layout.classes.index(name)) for name, path in layout.parts["train"]]
    assert sorted(listed) == sorted(reference.samples)
    assert list(layout.parts["train"]) == sorted(layout.parts["train"])


def test_images_are_colour_squares_as_torchvision_resizes_them(photos):
    images = load(folder(photos), CPU)
    assert (images.train_images.shape, images.test_images.shape) == ((24, 3, 16, 16), (6, 3, 16, 16))
    assert images.classes == ("Cat", "ant", "bee")
    assert images.train_labels.bincount().tolist() == [8, 8, 8]
    assert images.test_labels.bincount().tolist() == [2, 2, 2]
    resize = torchvision.transforms.Resize((16, 16))
    expected = {
        (np.asarray(resize(image)).transpose(2, 0, 1).tobytes(), label)
        for image, label in torchvision.datasets.ImageFolder(str(photos))
    }
    pixels = torch.cat([images.train_images, images.test_images])
    labels = torch.cat([images.train_labels, images.test_labels])
    assert {(p.numpy().tobytes(), int(label)) for p, label in zip(pixels, labels, strict=True)} == expected


def test_statistics_are_per_channel(photos):
    images = load(folder(photos), CPU)
    scaled = images.train_images.to(torch.float64) / 255
    torch.testing.assert_close(images.mean, scaled.mean((0, 2, 3)).float())
    torch.testing.assert_close(images.std, scaled.std((0, 2, 3), unbiased=False).float())


def test_the_test_part_is_the_same_wherever_the_folder_lies(photos, tmp_path):
    copy = shutil.copytree(photos, tmp_path / "elsewhere" / "copy")
    one, other = load(folder(photos), CPU), load(folder(copy), CPU)
    assert torch.equal(one.test_images, other.test_images)
    assert torch.equal(one.train_images, other.train_images)


def test_train_size_cuts_the_training_part_only(photos):
    images = load(folder(photos, train_size=10), CPU)
    assert (len(images.train_labels), len(images.test_labels)) == (10, 6)


@pytest.mark.parametrize(("fraction", "part"), [(0.04, "test"), (0.96, "training")])
def test_a_class_without_an_image_in_a_part_is_refused(photos, fraction, part):
    found = problems(verify, folder(photos, test_fraction=fraction))
    assert found[0] == (
        f"data.test_fraction = {fraction}: leaves class 'Cat' (10 images) no {part} image; "
        "every class needs one in each part"
    )
    assert len(found) == 3


def test_sizes_that_do_not_fit_are_refused_before_anything_is_trained(photos):
    assert problems(verify, folder(photos, train_size=25, protocol="holdout")) == [
        "data.train_size = 25: at most the 24 training images",
        "data.val_size = 10000: must be below the 24 training images in use",
    ]
    assert problems(lambda: load(folder(photos, train_size=25), CPU)) == [
        "data.train_size = 25: at most the 24 training images"
    ]
    assert verify(folder(photos, train_size=24, val_size=23, protocol="holdout")) == photos


def test_places_that_are_no_folder_of_classes(tmp_path):
    missing = tmp_path / "none"
    for action in (where, fetch, verify):
        assert problems(action, folder(missing)) == [f"data.root = {str(missing)!r}: there is no such folder"]
    (tmp_path / "one" / "a").mkdir(parents=True)
    assert "holds 1 folders; at least two" in problems(verify, folder(tmp_path / "one"))[0]
    (tmp_path / "one" / "b").mkdir()
    assert [line.split(": ")[1][:25] for line in problems(verify, folder(tmp_path / "one"))] == [
        "the class holds no image;"
    ] * 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no image", "is no picture of a format that is read, or its beginning is damaged"),
        (None, "is damaged, or of a kind that is not read (image file is truncated)"),
    ],
)
def test_an_unreadable_image_is_named(photos, content, reason):
    path = photos / "ant" / "0.png"
    path.write_bytes(path.read_bytes()[:60] if content is None else content)
    for action in (verify, lambda config: load(config, CPU)):
        assert problems(action, folder(photos)) == [f"{path}: {reason}; repair or remove it"]


def test_content_digest_is_what_sha256sum_says(photos):
    listed = sorted(layout_of(list_folder(photos)).used)
    text = b"".join(f"{hashlib.sha256((photos / path).read_bytes()).hexdigest()}  {path}\0".encode() for path in listed)
    assert content_digest(photos) == hashlib.sha256(text).hexdigest()


def test_content_digest_follows_the_images_and_nothing_else(photos, tmp_path):
    digest = content_digest(photos)
    assert content_digest(str(shutil.copytree(photos, tmp_path / "copy"))) == digest
    (photos / "bee" / "notes.txt").write_text("changed")
    assert content_digest(photos) == digest
    seen = {digest}
    (photos / "bee" / "0.png").rename(photos / "bee" / "new.png")
    seen.add(content_digest(photos))
    Image.new("RGB", (9, 9)).save(photos / "bee" / "new.png")
    seen.add(content_digest(photos))
    (photos / "bee" / "new.png").unlink()
    seen.add(content_digest(photos))
    assert len(seen) == 4


def test_content_digest_is_the_same_on_every_background(photos):
    layers = np.full((9, 9, 4), 255, np.uint8)
    layers[2:5, 2:5, 3] = 0
    Image.fromarray(layers).save(photos / "ant" / "0.png")
    assert "nothing of it is left on white" in problems(verify, folder(photos))[0]
    assert verify(folder(photos, background="black")) == photos
    assert len({content_digest(photos, background) for background in ("white", "grey", "black")}) == 1


def test_images_that_changed_since_planning_are_refused(photos):
    config = folder(photos, content=content_digest(photos))
    assert len(load(config, CPU).train_labels) == 24
    assert verify(config) == photos
    Image.new("RGB", (9, 9)).save(photos / "bee" / "0.png")
    for action in (verify, lambda config: load(config, CPU)):
        assert "the images have changed since the study was planned" in problems(action, config)[0]


def test_description(photos):
    description = describe("image_folder", str(photos))
    assert (description["train"], description["test"], description["shape"]) == (24, 6, [3, 256, 256])
    assert lines(description)[:8] == [
        f"image_folder (3 classes of images): {photos}",
        "  24 training and 6 test images, 256x256 colour, 3 classes",
        "  in the memory of each worker: 6 MiB",
        "  images of each class (train, test):",
        "    Cat: 8, 2",
        "    ant: 8, 2",
        "    bee: 8, 2",
        "  as stored: 10 PNG RGBA, 10 PNG RGB, 10 PNG L",
    ]
    assert lines(description)[-5:] == [
        "    no picture by its ending (.txt): 3",
        *(f"      {name}/notes.txt" for name in ("Cat", "ant", "bee")),
        f"  content SHA-256 {content_digest(photos)}",
    ]


def test_description_needs_a_root():
    assert problems(describe, "image_folder") == [
        "data.root: an image_folder needs the folder that holds one folder per class"
    ]
