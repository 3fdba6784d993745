"""Pages of text in two columns, drawn."""

import random

from PIL import Image, ImageDraw, ImageFont

SIZE = (700, 990)


def draw_page(seed: int) -> Image.Image:
    """Draw random words in justified lines, with headings."""
    rng = random.Random(seed)
    page = Image.new("RGB", SIZE, rng.choice(["white", (250, 249, 245), (244, 240, 234)]))
    draw = ImageDraw.Draw(page)
    size = rng.randint(9, 16)
    font, larger, title = (ImageFont.load_default(int(n * size)) for n in (1, 1.4, 2))
    margin, gutter = rng.randint(20, 60), rng.randint(14, 36)
    width = (SIZE[0] - 2 * margin - gutter) // 2
    draw.text((margin, margin), " ".join(_word(rng) for _ in range(4)), (20, 20, 20), title)
    for left in (margin, margin + width + gutter):
        top = margin + 4 * size
        while top < SIZE[1] - margin - size:
            if rng.random() < 0.05:
                heading = f"{_word(rng).title()} {_word(rng)}"
                draw.text((left, top + size), heading, (10, 10, 10), larger)
                top += size + int(2.2 * size)
                continue
            words = [_word(rng)]
            while draw.textlength(" ".join(words), font) < width:
                words.append(_word(rng))
            lengths = [draw.textlength(word, font) for word in words[:-1]]
            ends = rng.random() < 0.12 or len(lengths) < 2  # a paragraph
            space = (width - sum(lengths)) / (len(lengths) - 1 or 1)
            at = float(left)
            for word, length in zip(words, lengths, strict=False):
                draw.text((at, top), word, (30, 30, 30), font)
                at += length + (draw.textlength(" ", font) if ends else space)
            top += int(1.35 * size)
    return page


def _word(rng: random.Random) -> str:
    return "".join(rng.choices("etaoinshrdlucmfwypvbgk", k=rng.randint(2, 10)))
