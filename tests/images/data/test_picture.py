"""What becomes of each kind of picture, against values worked out by hand or by numpy."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ablate.images.data.picture import UnreadableError, look_at, opened, read_picture, square

RAMP = np.linspace(0, 65_535, 32 * 32).round().astype(np.uint16).reshape(32, 32)
COLOURS = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def read(path, background="white"):
    with opened(path) as file:
        image, picture = read_picture(file, path.name, background)
    assert image.mode == "RGB"
    with opened(path) as file:
        looked = look_at(file, path.name, background)
    assert (looked.changed, looked.remarks) == (picture.changed, picture.remarks)
    return np.asarray(image), picture


def refusal(path, background="white"):
    with pytest.raises(UnreadableError) as caught, opened(path) as file:
        read_picture(file, path.name, background)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def saved(image, path, **more):
    image.save(path, **more)
    return path


def grey(values):
    return np.repeat(values[..., None], 3, axis=2)


def pgm(path, values, most):
    path.write_bytes(f"P5 {values.shape[1]} {values.shape[0]} {most}\n".encode() + values.astype(">u2").tobytes())
    return path


def tiff(path, values, bits, *, photometric=1, sample_format=1):
    """A TIFF of one uncompressed strip, written by hand."""
    data = values.tobytes()
    entries = [
        (256, 4, values.shape[1]),
        (257, 4, values.shape[0]),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8 + 2 + 10 * 12 + 4),
        (277, 3, 1),
        (278, 4, values.shape[0]),
        (279, 4, len(data)),
        (339, 3, sample_format),
    ]
    fields = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + fields + bytes(4) + data)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jp2", "a.pgm"])
def test_sixteen_bits_are_scaled_by_their_full_range(tmp_path, name):
    path = tmp_path / name
    if name == "a.jp2":
        Image.fromarray(RAMP).save(path, irreversible=False)
    else:
        Image.fromarray(RAMP).save(path)
    pixels, picture = read(path)
    assert np.array_equal(pixels, grey(np.rint(RAMP / 257.0).astype(np.uint8)))
    assert (picture.changed, picture.brightest) == (("sixteen bits",), 255)


def test_twelve_bits_are_scaled_by_their_own_range(tmp_path):
    values = np.linspace(0, 4095, 24).round().astype(np.uint16).reshape(4, 6)
    expected = grey(np.rint(values / 4095 * 255).astype(np.uint8))
    assert np.array_equal(read(pgm(tmp_path / "a.pgm", values, 4095))[0], expected)
    flat = values.reshape(-1, 2)
    packed = np.stack([flat[:, 0] >> 4, (flat[:, 0] & 15) << 4 | flat[:, 1] >> 8, flat[:, 1] & 255], axis=1)
    path = tiff(tmp_path / "a.tif", values, 12)
    path.write_bytes(path.read_bytes()[: -values.nbytes] + packed.astype(np.uint8).tobytes())
    assert np.array_equal(read(path)[0], expected)


def test_where_zero_is_white_it_is_read_so(tmp_path):
    path = tiff(tmp_path / "a.tif", RAMP, 16, photometric=0)
    assert np.array_equal(read(path)[0], grey(255 - np.rint(RAMP / 257.0).astype(np.uint8)))


def test_sixteen_bits_of_colour_keep_their_upper_eight(tmp_path):
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    pixels, picture = read(tmp_path / "a.png")
    assert np.array_equal(pixels, np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2) >> 8)
    assert picture.changed == ()


def test_floating_point_is_read_from_black_to_white(tmp_path):
    values = (RAMP / 65_535).astype(np.float32)
    for name in ("a.tif", "a.pfm"):
        image = Image.fromarray(values)
        image.save(tmp_path / name, "PPM" if name == "a.pfm" else None)
        pixels, picture = read(tmp_path / name)
        assert np.array_equal(pixels, grey(np.rint(values * 255.0).astype(np.uint8)))
        assert picture.changed == ("float",)


@pytest.mark.parametrize("values", [[0.0, 255.0], [-0.1, 1.0], [0.0, np.nan], [0.0, np.inf]])
def test_other_floating_point_numbers_are_refused(tmp_path, values):
    path = saved(Image.fromarray(np.array([values], np.float32)), tmp_path / "a.tif")
    assert "floating-point numbers" in refusal(path)


@pytest.mark.parametrize(("kind", "bits", "form"), [("<i4", 32, 2), ("<u4", 32, 1), ("<i2", 16, 2)])
def test_integers_of_unknown_range_are_refused(tmp_path, kind, bits, form):
    path = tiff(tmp_path / "a.tif", RAMP.astype(kind), bits, sample_format=form)
    assert "nobody knows what is white" in refusal(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_pictures_are_turned_as_their_exif_says(tmp_path, name, orientation):
    # Where the first row and the first column of what is stored belong, after the EXIF standard's table.
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a),
    }
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:8, :8] = 250
    stored[8:, :8] = 120
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(stored), tmp_path / name, exif=exif, quality=95)
    pixels, picture = read(path)
    assert np.abs(pixels.astype(int) - turns[orientation](stored)).mean() < 4
    assert picture.changed == (("turned",) if orientation > 1 and name != "a.tif" else ())


def test_exif_data_that_cannot_be_read_are_said(tmp_path):
    path = saved(Image.fromarray(COLOURS), tmp_path / "a.png", exif=b"Exif\0\0XX garbage")
    pixels, picture = read(path)
    assert np.array_equal(pixels, COLOURS)
    assert picture.remarks == ("its EXIF data cannot be read; it is not turned",)


@pytest.mark.parametrize(("background", "ground"), [("white", 255), ("grey", 128), ("black", 0)])
def test_transparent_pixels_show_the_background(tmp_path, background, ground):
    alpha = np.linspace(0, 255, 12 * 17).round().astype(np.uint8).reshape(12, 17)
    expected = ground + (COLOURS.astype(float) - ground) * alpha[..., None] / 255
    for name in ("a.png", "a.tif", "a.webp"):
        path = saved(Image.fromarray(np.dstack([COLOURS, alpha])), tmp_path / name, lossless=True, exact=True)
        pixels, picture = read(path, background)
        assert np.abs(pixels - expected).max() <= 1
        assert picture.changed == ("transparent",)
    layers = np.dstack([COLOURS[..., 0], alpha])
    pixels, _ = read(saved(Image.fromarray(layers, "LA"), tmp_path / "la.png"), background)
    assert np.abs(pixels - grey(expected[..., 0])).max() <= 1


def test_one_transparent_colour_shows_the_background(tmp_path):
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for name in ("p.png", "p.gif"):
        pixels, picture = read(saved(palette, tmp_path / name, transparency=1))
        assert pixels.tolist() == [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]]
        assert picture.changed == ("transparent",)
    for image, key in (
        (Image.fromarray(np.array([[9, 200]], np.uint8)), 200),
        (Image.fromarray(np.array([[9 * 257, 60_000]], np.uint16)), 60_000),
        (Image.fromarray(np.array([[[9, 9, 9], [1, 2, 3]]], np.uint8)), (1, 2, 3)),
    ):
        pixels, _ = read(saved(image, tmp_path / "key.png", transparency=key), "grey")
        assert pixels.tolist() == [[[9, 9, 9], [128, 128, 128]]]


def test_an_opaque_alpha_channel_changes_nothing(tmp_path):
    opaque = np.dstack([COLOURS, np.full(COLOURS.shape[:2], 255, np.uint8)])
    pixels, picture = read(saved(Image.fromarray(opaque), tmp_path / "a.png"))
    assert np.array_equal(pixels, COLOURS)
    assert picture.changed == ()


def test_what_only_the_alpha_channel_shows_is_refused_where_it_would_be_lost(tmp_path):
    shape = np.zeros((9, 9), np.uint8)
    shape[2:7, 2:7] = 255
    for shade, lost_on in ((255, "white"), (0, "black"), (128, "grey")):
        path = saved(Image.fromarray(np.dstack([np.full((9, 9, 3), shade, np.uint8), shape])), tmp_path / "a.png")
        assert f"nothing of it is left on {lost_on}" in refusal(path, lost_on)
        for other in {"white", "grey", "black"} - {lost_on}:
            assert np.ptp(read(path, other)[0]) > 100
    empty = np.dstack([COLOURS, np.zeros(COLOURS.shape[:2], np.uint8)])
    assert (read(saved(Image.fromarray(empty), tmp_path / "empty.png"))[0] == 255).all()


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *[("1", "a.png"), ("L", "a.png"), ("P", "a.png"), ("P", "a.bmp"), ("CMYK", "a.jpg"), ("CMYK", "a.tif")],
        *[("RGB", "a.bmp"), ("L", "a.jpg"), ("YCbCr", "a.tif"), ("1", "a.pbm"), ("L", "a.pgm"), ("RGB", "a.ppm")],
        ("RGB", "a.JPG"),
    ],
)
def test_kinds_that_were_always_read_are_read_as_before(tmp_path, mode, name):
    path = saved(Image.fromarray(COLOURS).convert(mode), tmp_path / name)
    pixels, picture = read(path)
    assert np.array_equal(pixels, np.asarray(Image.open(path).convert("RGB")))
    assert picture.changed == ()
    assert any("CMYK" in remark for remark in picture.remarks) == (mode == "CMYK")


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_of_several_frames_the_first_is_used(tmp_path, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    path = saved(frames[0], tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    pixels, picture = read(path)
    assert (pixels == [255, 0, 0]).all()
    assert "only its first frame or page is used" in picture.remarks


def test_content_decides_and_a_wrong_ending_is_said(tmp_path):
    path = saved(Image.fromarray(COLOURS), tmp_path / "a.jpg", format="PNG")
    pixels, picture = read(path)
    assert np.array_equal(pixels, COLOURS)
    assert picture.remarks == ("its content is PNG, whatever its ending says",)


def test_a_colour_profile_is_said(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    _, picture = read(saved(Image.fromarray(COLOURS), tmp_path / "a.png", icc_profile=profile))
    assert picture.remarks == ("its colour profile is not applied",)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"])
def test_a_file_that_was_cut_off_is_refused(tmp_path, form):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, form)
    for kept in (0, 1, 3, 10, 40, whole.tell() // 3, whole.tell() * 2 // 3):
        (tmp_path / "a.png").write_bytes(whole.getvalue()[:kept])
        assert refusal(tmp_path / "a.png").split(" ")[0] in ("is", "has", "cannot")


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>", b"\0" * 4000])
def test_no_decoder_but_those_of_the_rule_is_started(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert refusal(tmp_path / "a.png") == "is no picture of a format that is read, or its beginning is damaged"


def test_a_picture_that_promises_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (13_400, 60_000):
        content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        (tmp_path / "a.png").write_bytes(content + chunk(b"IDAT", zlib.compress(bytes(9))))
        assert refusal(tmp_path / "a.png").startswith("is too large")


def test_what_is_no_file_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png") == "is no regular file"
    assert refusal(tmp_path) == "is no regular file"
    assert refusal(tmp_path / "none.png") == "cannot be read (No such file or directory)"
    assert refusal(tmp_path / "a\0.png") == "cannot be read (embedded null byte)"


def test_squares_are_channels_first():
    assert square(Image.fromarray(COLOURS), 8).shape == (3, 8, 8)
