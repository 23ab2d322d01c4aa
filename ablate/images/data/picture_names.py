"""Which names are pictures, which are not looked at, and how a name is shown to people."""

FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "AVIF": (".avif",),
}
"""The formats that are read, by their names in Pillow, with the endings of their files (in any case). No other decoder
is ever started: some of Pillow's start programs (EPS) or take anything for a picture (TGA)."""

ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)

UNREAD = frozenset(
    ".heic .heif .svg .svgz .psd .xcf .tga .ico .icns .pcx .eps .ps .pdf .dds .exr .hdr .jxl .jxr .raw .cr2 .cr3 .nef "
    ".arw .dng .orf .rw2 .raf .fits .fit .dcm .nii .npy .npz .mat .xpm .xbm .sgi .rgb .ras .wmf .emf .cur "
    ".fli .flc .qoi .mp4 .mov .avi .mkv .webm".split()
)
"""Endings of pictures and films that are not read: their number is said apart from that of other files."""

_MADE_BY_SYSTEMS = frozenset(
    (
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
        *("@eadir", "#recycle", "lost+found", "__pycache__", "icon\r"),
    )
)


def ending(name: str) -> str:
    """What follows a name's last dot, with it, in lower case; empty where there is none."""
    stem, dot, last = name.rpartition(".")
    return f".{last.lower()}" if dot and stem else ""


def passed_over(name: str) -> str | None:
    """Why a file or folder of this name is not looked at; None: it is.

    Args:
        name: The name without its folder.
    """
    if name.startswith("._"):
        return "macOS keeps a file's properties in it"
    if name.startswith("."):
        return "hidden"
    return "made by an operating system or a tool" if name.lower() in _MADE_BY_SYSTEMS else None


def shown(path: object) -> str:
    """A path or name as text that can be printed on one line.

    Control characters, and bytes that are no UTF-8, are shown as escapes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))
