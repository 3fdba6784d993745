"""Everyday edits: what happens to pictures that are passed on.

The first 41 are those by which peers were measured before; the others are turned and framed
pictures in the forms that files have. An edit turns an RGB picture into another, or into the bytes
of a file if the file's format is the edit.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from pictures import saved
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Edit = Callable[[Picture], "Picture | bytes"]

BLACK, WHITE, GREY, RED = (0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 60)
BICUBIC = Image.Resampling.BICUBIC
SEED = 20260102


def through_jpeg(picture: Picture, quality: int) -> Picture:
    return Image.open(io.BytesIO(saved(picture, quality=quality))).convert("RGB")


def scaled(picture: Picture, factor: float) -> Picture:
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, BICUBIC)


def thumbnail(picture: Picture, side: int) -> Picture:
    small = picture.copy()
    small.thumbnail((side, side), BICUBIC)
    return small


def noise(picture: Picture, sigma: float) -> Picture:
    random = np.random.default_rng(SEED)
    grain = random.normal(0, sigma, (picture.height, picture.width, 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def gamma(picture: Picture, power: float) -> Picture:
    return picture.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


def vignette(picture: Picture) -> Picture:
    def fall(size: int) -> np.ndarray:
        middle = np.exp(-((np.arange(size) - size / 2) ** 2) / (2 * (size / 2) ** 2))
        return middle / middle.max()

    light = np.outer(fall(picture.height), fall(picture.width))[..., None]
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def text(picture: Picture) -> Picture:
    made = picture.copy()
    draw, size = ImageDraw.Draw(made), max(8, picture.height // 10)
    where = (picture.width * 0.1, picture.height * 0.8)
    draw.text(where, "seen it here first", WHITE, font_size=size, stroke_width=2, stroke_fill=BLACK)
    return made


def logo(picture: Picture, share: float) -> Picture:
    """Cover a corner with an opaque badge, whose width is a share of the picture's."""
    made = picture.copy()
    side = int(picture.width * share)
    left, top = picture.width - side - side // 8, side // 8
    draw = ImageDraw.Draw(made)
    draw.rectangle((left, top, left + side, top + side), WHITE)
    draw.ellipse(
        (left + side // 8, top + side // 8, left + side * 7 // 8, top + side * 7 // 8), RED
    )
    return made


def cropped(picture: Picture, share: float) -> Picture:
    across, down = round(picture.width * share), round(picture.height * share)
    return picture.crop((across, down, picture.width - across, picture.height - down))


def framed(picture: Picture, colour: tuple[int, int, int], above: int, beside: int) -> Picture:
    return ImageOps.expand(picture, (beside, above), colour)


def bordered(picture: Picture, colour: tuple[int, int, int], share: float) -> Picture:
    return framed(picture, colour, round(picture.height * share), round(picture.width * share))


def letterboxed(picture: Picture) -> Picture:
    """Add bars above and below that make a third of the frame."""
    return framed(picture, BLACK, round(picture.height / 4), 0)


def shadowed(picture: Picture) -> Picture:
    """Lay the picture on white paper with a soft shadow."""
    margin = 40
    mask = ImageOps.expand(Image.new("L", picture.size, 200), margin, 0)
    made = Image.new("RGB", mask.size, WHITE)
    made.paste((40, 40, 40), (0, 0), mask.filter(ImageFilter.GaussianBlur(8)))
    made.paste(picture, (margin, margin))
    return made


def rounded(picture: Picture, colour: tuple[int, int, int], share: float) -> Picture:
    """Cut the corners to arcs, in a frame of the colour, as pages and chats show pictures.

    The radius of an arc is a share of the shorter side.
    """
    mask = Image.new("L", picture.size, 0)
    box = (0, 0, picture.width - 1, picture.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, round(share * min(picture.size)), fill=255)
    ground = Image.new("RGB", picture.size, colour)
    return framed(Image.composite(picture, ground, mask), colour, 30, 30)


def cut_out(picture: Picture, share: float) -> bytes:
    """Return a PNG whose corners are cut to arcs, with nothing below what is clear.

    The radius of an arc is a share of the shorter side; half of it makes a circle of a square.
    """
    mask = Image.new("L", picture.size, 0)
    box = (0, 0, picture.width - 1, picture.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, round(share * min(picture.size)), fill=255)
    made = Image.new("RGBA", picture.size)
    made.paste(picture, mask=mask)
    return saved(made, "PNG")


def captioned(picture: Picture) -> Picture:
    """Add two lines of text on white above the picture."""
    bar = picture.height // 4
    made = Image.new("RGB", (picture.width, picture.height + bar), WHITE)
    made.paste(picture, (0, bar))
    words = "when the caption\nsays it all"
    ImageDraw.Draw(made).text((bar // 4, bar // 6), words, BLACK, font_size=max(8, bar // 4))
    return made


def subtitled(picture: Picture) -> Picture:
    made = letterboxed(picture)
    bar = round(picture.height / 4)
    where = (made.width * 0.25, made.height - bar * 0.75)
    ImageDraw.Draw(made).text(where, "(as it was told)", WHITE, font_size=max(8, bar // 4))
    return made


def before_itself(picture: Picture, size: tuple[int, int], share: float = 1.0) -> bytes:
    """Return a JPEG of the picture before a blurred copy of itself that fills the frame."""
    return before(ImageOps.fit(picture, size).filter(ImageFilter.GaussianBlur(24)), picture, share)


def before_colours(picture: Picture, size: tuple[int, int]) -> bytes:
    """Return a JPEG of it before a gradient from the colour of its top to that of its bottom."""
    ends = picture.resize((1, 2), Image.Resampling.BOX)
    ground = ends.resize((1, size[1]), Image.Resampling.BILINEAR).resize(size)
    return before(ground, picture, 0.9)


def before(ground: Picture, picture: Picture, share: float) -> bytes:
    """Return a JPEG of the picture in the middle of the ground, at a share of the largest size."""
    factor = min(ground.width / picture.width, ground.height / picture.height) * share
    shown = scaled(picture, factor)
    place = ((ground.width - shown.width) // 2, (ground.height - shown.height) // 2)
    ground.paste(shown, place)
    return saved(ground, quality=75)


def tall(picture: Picture) -> tuple[int, int]:
    """Return the size of a frame of 9:16, or of 16:9 if the picture would fill that."""
    return (540, 960) if picture.width * 4 > picture.height * 3 else (960, 540)


def rotated(picture: Picture, degrees: float) -> Picture:
    return picture.rotate(degrees, BICUBIC, fillcolor=BLACK)


def screenshot(picture: Picture) -> Picture:
    """Send the picture, show it smaller, capture the screen, and send that."""
    shown = scaled(through_jpeg(picture, 70), 0.6)
    return through_jpeg(scaled(shown, 1.2), 60)


SCREEN = (540, 1170)


def on_screen(picture: Picture, ground: Picture, ink: tuple[int, int, int]) -> bytes:
    """Return a JPEG of a phone's screen that shows the picture before a ground.

    There are a clock and a battery above, a line of text, and buttons below.
    """
    made = ground.copy()
    draw = ImageDraw.Draw(made)
    draw.text((30, 14), "21:47", ink, font_size=20)
    draw.rectangle((470, 16, 505, 32), outline=ink, width=2)
    draw.rectangle((473, 19, 495, 29), ink)
    draw.text((200, 70), "Tuesday", ink, font_size=18)
    for left in range(40, 540, 108):
        draw.rectangle((left, 1090, left + 30, 1120), outline=ink, width=3)
        draw.line((left + 5, 1110, left + 25, 1095), ink, 3)
    shown = scaled(picture, min(540 / picture.width, 900 / picture.height))
    made.paste(shown, ((540 - shown.width) // 2, (1170 - shown.height) // 2))
    return saved(made, quality=85)


def barred() -> Picture:
    """Return a white screen with a bar of one colour above and one of another below."""
    made = Image.new("RGB", SCREEN, WHITE)
    made.paste((7, 94, 84), (0, 0, SCREEN[0], 110))
    made.paste((240, 240, 240), (0, 1070, *SCREEN))
    return made


def run_of_greys() -> Picture:
    """Return a pale screen that grows a little lighter from top to bottom."""
    column = np.linspace((200, 210, 220), (230, 240, 250), SCREEN[1]).astype(np.uint8)
    return Image.fromarray(np.repeat(column[:, None], SCREEN[0], axis=1))


def wallpaper(size: tuple[int, int], filter: Image.Resampling) -> Picture:
    """Return a screen of patches of many colours, with soft or sharp edges."""
    patches = np.random.default_rng(SEED).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(patches).resize(SCREEN, filter)


def dice(picture: Picture) -> np.random.Generator:
    """Return a generator that is the same for the same pixels."""
    return np.random.default_rng([SEED, zlib.crc32(picture.tobytes())])


def trimmed(picture: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    """Cut a share of the width or height off each side."""
    across, down = picture.size
    return picture.crop((
        round(across * left), round(down * top),
        across - round(across * right), down - round(down * bottom),
    ))  # fmt: skip


def one_side_cut(picture: Picture, share: float) -> Picture:
    """Cut a share off one side by chance."""
    side = dice(picture).integers(4)
    return trimmed(picture, *(share if side == at else 0 for at in range(4)))


def sides_cut(picture: Picture, most: float, draw: int) -> Picture:
    """Cut another share by chance off each side."""
    shares = dice(picture).uniform(0, most, (draw + 1, 4))[draw]
    return trimmed(picture, *shares)


def tilted(picture: Picture, degrees: float) -> Picture:
    """Turn the picture to the left or the right, by chance, in black corners."""
    return rotated(picture, degrees * dice(picture).choice((-1, 1)))


def straightened(picture: Picture, degrees: float) -> Picture:
    """Turn the picture and cut it to the largest frame of its shape without corners."""
    made, (wide, high) = tilted(picture, degrees), picture.size
    along, across = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    share = min(
        wide / (wide * along + high * across),
        high / (wide * across + high * along),
    )
    return cropped(made, (1 - share) / 2)


def two_lines(picture: Picture) -> Picture:
    """Write two lines of large letters over the foot of the picture."""
    made, size = picture.copy(), max(8, picture.height // 8)
    where = (picture.width * 0.05, picture.height * 0.66)
    words = "when you see it\nyou will know"
    ImageDraw.Draw(made).multiline_text(
        where, words, WHITE, font_size=size, stroke_width=max(1, size // 12), stroke_fill=BLACK
    )
    return made


def caption_bar(picture: Picture) -> Picture:
    """Darken a bar at the foot by half and write on it."""
    made, top = picture.copy(), round(picture.height * 0.8)
    foot = made.crop((0, top, *made.size))
    made.paste(Image.blend(foot, Image.new("RGB", foot.size, BLACK), 0.55), (0, top))
    size = max(8, picture.height // 14)
    where = (picture.width * 0.06, picture.height * 0.86)
    ImageDraw.Draw(made).text(where, "A day by the sea, 2026", WHITE, font_size=size)
    return made


def ticker(picture: Picture) -> Picture:
    """Cover the lower 15 % with an opaque bar and a line of text."""
    made, top = picture.copy(), round(picture.height * 0.85)
    draw = ImageDraw.Draw(made)
    draw.rectangle((0, top, *made.size), (20, 40, 110))
    draw.rectangle((0, top, picture.width // 5, picture.height), RED)
    where = (picture.width * 0.23, picture.height * 0.89)
    size = max(8, picture.height // 14)
    draw.text(where, "Rain is expected in the north", WHITE, font_size=size)
    return made


def badge(picture: Picture, share: float) -> Picture:
    """Lay the badge of `logo` in a corner by chance."""
    turn = dice(picture).integers(4)
    across, down = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM)
    steps = [step for step, wanted in ((across, turn & 1), (down, turn & 2)) if wanted]
    made = picture
    for step in steps:
        made = made.transpose(step)
    made = logo(made, share)
    for step in steps:
        made = made.transpose(step)
    return made


def sticker(picture: Picture, draw: int) -> Picture:
    """Lay a round face of 28 % of the shorter side on another place by chance."""
    made, side = picture.copy(), round(min(picture.size) * 0.28)
    across, down = dice(picture).random((draw + 1, 2))[draw]
    left, top = across * (picture.width - side), down * (picture.height - side)
    pen, unit = ImageDraw.Draw(made), side / 10
    pen.ellipse((left, top, left + side, top + side), (250, 205, 60), BLACK, max(1, side // 30))
    for eye in (3, 6):
        x, y = left + eye * unit, top + 3 * unit
        pen.ellipse((x, y, x + unit, y + 2 * unit), BLACK)
    pen.arc((left + 2 * unit, top + 3 * unit, left + 8 * unit, top + 8 * unit), 20, 160, BLACK, 3)
    return made


def exif_turned(picture: Picture, orientation: int) -> bytes:
    """Return a file whose pixels are turned and whose EXIF data states how to turn them back."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture.transpose(undo[orientation]), quality=90, exif=exif)


# The 41 by which peers were measured.
EDITS: dict[str, Edit] = {
    "noop": lambda picture: picture,
    **{f"jpeg{q}": partial(saved, format="JPEG", quality=q) for q in (95, 50, 20, 5)},
    "webp50": partial(saved, format="WEBP", quality=50),
    "avif40": partial(saved, format="AVIF", quality=40),
    "gif": partial(saved, format="GIF"),
    "resize0.5": partial(scaled, factor=0.5),
    "thumb96": partial(thumbnail, side=96),
    "resize2": partial(scaled, factor=2),
    "aspect→1:1": lambda p: p.resize((min(p.size), min(p.size)), BICUBIC),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "blur2": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "blur5": lambda picture: picture.filter(ImageFilter.GaussianBlur(5)),
    "sharpen": lambda picture: picture.filter(ImageFilter.UnsharpMask(3, 200, 0)),
    "noise_s10": partial(noise, sigma=10),
    "noise_s25": partial(noise, sigma=25),
    "gamma2": partial(gamma, power=2),
    "gamma0.5": partial(gamma, power=0.5),
    "brightness1.4": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "contrast1.5": lambda picture: ImageEnhance.Contrast(picture).enhance(1.5),
    "saturation2": lambda picture: ImageEnhance.Color(picture).enhance(2),
    "vignette": vignette,
    "text_overlay": text,
    "logo20": partial(logo, share=0.2),
    "logo10": partial(logo, share=0.1),
    "crop1_each": partial(cropped, share=0.01),
    "crop2_each": partial(cropped, share=0.02),
    "crop5_each": partial(cropped, share=0.05),
    "crop10_each": partial(cropped, share=0.1),
    "crop25_topleft": lambda p: p.crop((p.width // 4, p.height // 4, p.width, p.height)),
    "border_black_1/16": partial(bordered, colour=BLACK, share=1 / 16),
    "border_white_30px": partial(framed, colour=WHITE, above=30, beside=30),
    "letterbox33": letterboxed,
    "rotate1": partial(rotated, degrees=1),
    "rotate4": partial(rotated, degrees=4),
    "rotate15": partial(rotated, degrees=15),
    "hflip": ImageOps.mirror,
    "rotate90": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "screenshot_chain": screenshot,
}

# More of what this library looks for.
MORE: dict[str, Edit] = {
    "vflip": ImageOps.flip,
    "rotate180": lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    "rotate270": lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
    **{f"exif{value}": partial(exif_turned, orientation=value) for value in range(2, 9)},
    "border_black_1/16, jpeg75": lambda p: saved(bordered(p, BLACK, 1 / 16), quality=75),
    "border_white_30px, jpeg75": lambda p: saved(framed(p, WHITE, 30, 30), quality=75),
    "letterbox33, jpeg75": lambda p: saved(letterboxed(p), quality=75),
    "letterbox33, jpeg30": lambda p: saved(letterboxed(p), quality=30),
    "border_red_25px, webp75": lambda p: saved(framed(p, RED, 25, 25), "WEBP", quality=75),
    "border_grey, noise_s6": lambda p: noise(framed(p, GREY, 30, 30), 6),
    "pillarbox_white": lambda p: framed(p, WHITE, 0, round(p.width / 3)),
    "border, resize0.77": lambda p: scaled(framed(p, BLACK, 30, 30), 0.77),
    "letterbox33, hflip": lambda p: ImageOps.mirror(letterboxed(p)),
    "border in letterbox": lambda p: framed(framed(p, WHITE, 20, 20), BLACK, 90, 0),
    "shadow": shadowed,
    "corners3_white": partial(rounded, colour=WHITE, share=0.03),
    "corners3_black": partial(rounded, colour=BLACK, share=0.03),
    "corners8_white": partial(rounded, colour=WHITE, share=0.08),
    "corners8_black": partial(rounded, colour=BLACK, share=0.08),
    **{f"corners{cut}_clear": partial(cut_out, share=cut / 100) for cut in (8, 15, 50)},
    "caption": captioned,
    "subtitle in letterbox": subtitled,
    "on a screen, black": partial(on_screen, ground=Image.new("RGB", SCREEN, BLACK), ink=WHITE),
    "on a screen, white": partial(on_screen, ground=Image.new("RGB", SCREEN, WHITE), ink=BLACK),
    "on a screen, two bars": partial(on_screen, ground=barred(), ink=BLACK),
    "on a screen, gradient": partial(on_screen, ground=run_of_greys(), ink=BLACK),
    "on a screen, soft wallpaper": partial(on_screen, ground=wallpaper((4, 9), BICUBIC), ink=BLACK),
    "on a screen, sharp wallpaper": partial(
        on_screen, ground=wallpaper((12, 26), Image.Resampling.NEAREST), ink=BLACK
    ),
    "backdrop, blurred": lambda p: before_itself(p, tall(p)),
    "backdrop, blurred, on all sides": lambda p: before_itself(p, tall(p), 0.9),
    "backdrop, colours": lambda p: before_colours(p, tall(p)),
}

# What evidence and views are for: by group. All are saved as JPEG 75 afterwards.
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05)
PARTLY: dict[str, dict[str, Edit]] = {
    "cropped": {
        **{f"crop{share:.0%}_each": partial(cropped, share=share) for share in SHARES},
        **{
            f"crop{share:.0%}_one": partial(one_side_cut, share=share)
            for share in (0.03, 0.06, 0.09, 0.12)
        },
        **{f"crop6%_random{draw}": partial(sides_cut, most=0.06, draw=draw) for draw in range(2)},
    },
    "turned": {f"rotate{degrees}": partial(tilted, degrees=degrees) for degrees in (1, 2, 3, 4, 5)},
    "straightened": {"straighten2": partial(straightened, degrees=2)},
    "captions": {
        "text": text,
        "two_lines": two_lines,
        "caption_bar": caption_bar,
        "ticker": ticker,
    },
    "badge10": {"badge10": partial(badge, share=0.1)},
    "badge20": {"badge20": partial(badge, share=0.2)},
    "sticker": {f"sticker{draw}": partial(sticker, draw=draw) for draw in range(4)},
    "weak": {
        "jpeg5": partial(through_jpeg, quality=5),
        "gamma2": partial(gamma, power=2),
        "blur5": lambda picture: picture.filter(ImageFilter.GaussianBlur(5)),
    },
    "negative": {"negative": ImageOps.invert},
    "beyond": {
        "crop7%_each": partial(cropped, share=0.07),
        "crop10%_each": partial(cropped, share=0.1),
        "rotate7": partial(tilted, degrees=7),
        "straighten4": partial(straightened, degrees=4),
        "badge30": partial(badge, share=0.3),
    },
}

_SHAPES = {"4:3": 4 / 3, "3:2": 3 / 2, "1:1": 1.0, "16:9": 16 / 9}


def centred(picture: Picture, shape: str) -> Picture:
    """Cut a picture to a shape from its middle; one on end to that on end."""
    ratio = _SHAPES[shape] ** (1 if picture.width >= picture.height else -1)
    size = min(picture.width, picture.height * ratio), min(picture.height, picture.width / ratio)
    return ImageOps.fit(picture, (round(size[0]), round(size[1])), BICUBIC)


def _from_shape(picture: Picture, source: str, shape: str) -> Picture:
    return centred(centred(picture, source), shape)


CENTRED: dict[str, dict[str, Edit]] = {
    f"{source} to {shape}": {
        f"{source} to {shape}": partial(_from_shape, source=source, shape=shape)
    }
    for source in ("4:3", "3:2")
    for shape in ("1:1", "16:9")
}
"""What applications make of a picture of the first shape, which here a photo is cut to before."""

TURNS = ("hflip", "vflip", "rotate90", "rotate180", "rotate270")
EXIF = tuple(f"exif{value}" for value in range(2, 9))
FRAMES = ("border_black_1/16", "border_white_30px", "letterbox33")


def passed_on(picture: Picture) -> Iterator[Picture]:
    """Yield 25 forms of a picture of at most 512 pixels, as lists of near-duplicates have them."""
    picture = thumbnail(picture, 512)
    yield picture
    yield from (through_jpeg(picture, quality) for quality in (90, 75, 60, 45, 30, 15))
    yield from (scaled(picture, factor) for factor in (0.75, 0.5, 0.35, 0.25))
    for strength in (0.7, 0.85, 1.15, 1.3):
        yield ImageEnhance.Brightness(picture).enhance(strength)
        yield ImageEnhance.Contrast(picture).enhance(strength)
    yield from (cropped(picture, share) for share in (0.01, 0.02, 0.03))
    yield ImageOps.grayscale(picture)
    yield picture.filter(ImageFilter.GaussianBlur(1.5))
    yield ImageEnhance.Sharpness(picture).enhance(2.5)
