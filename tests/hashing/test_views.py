"""Views are the PDQs that the originals of edited pictures would have, as defined."""

import evidence_oracle as oracle
import numpy as np
import pytest
from drawn_pixels import smooth, turned

import screener._core as _core
from screener.hashing import evidence, pdq, views


@pytest.fixture
def rng():
    """Random numbers, the same every time."""
    return np.random.default_rng(35)


def sampled(rng, aspect=0.7):
    """Samples of a picture that is like a photo in its spectrum."""
    return evidence.Samples(smooth(rng, (64, 64)).astype(np.float32), aspect)


def test_names_tell_the_views_apart():
    """Each view has a name of its own."""
    for of_shape in views.VIEWS_OF.values():
        assert len({one.name for one in of_shape}) == len(of_shape)


@pytest.mark.parametrize("aspect", [0.3, 1.0, 1.25, 1.9])
def test_views_undo_their_edits_as_defined(rng, aspect):
    """The coefficients of each view are those of the samples that its definition reads."""
    samples = sampled(rng, aspect)
    found = views.coefficients(samples).values
    for view, row in zip(views.VIEWS_OF[views.find_shape(aspect)], found, strict=True):
        wanted = oracle.viewed(view, samples.values.astype(float), aspect)
        wanted = -wanted if view.negative else wanted
        assert np.allclose(row.reshape(16, 16), oracle.coefficients(wanted), atol=0.02), view.name


def test_what_is_guessed_makes_bits_less_sure():
    """Variances are about those over all waves, each by itself."""
    found = views._ready("").sureness().reshape(-1, 16, 16).astype(float) ** -2 - oracle.NOISE**2
    for number in range(0, len(views.VIEWS), 2):
        wanted = oracle.variances(views.VIEWS[number])
        assert abs(found[number].sum() - wanted.sum()) < 1 + 0.3 * wanted.sum()
        ratios = (found[number] + 0.05) / (wanted + 0.05)
        assert 0.85 < ratios.mean() < 1.15
        assert ratios.std() < 0.25


def test_queries_are_the_weighed_coefficients_in_eight_orientations(rng):
    """Each is what `pdq_weigh` makes of the coefficients with the signs of the orientation."""
    samples = sampled(rng)
    values = views.coefficients(samples).values
    found = views.weigh(samples)
    spreads = views._ready("").sureness().astype(float) ** -2 - oracle.NOISE**2
    assert len(found.codes) == 8 * len(views.VIEWS)
    for number in range(len(views.VIEWS)):
        rows = [row.ravel() for row in oracle.turned(values[number].reshape(16, 16))]
        # Noise moves a coefficient of either sign alike, so only transposes matter to a variance.
        own = spreads[number].reshape(16, 16)
        for turn, row in enumerate(rows):
            query = 8 * number + turn
            code = evidence.Coefficients(row[None].astype(np.float32)).weigh().codes[0]
            assert (found.codes[query] == code).all()
            spread = own.T if pdq.ORIENTATIONS[turn] in TRANSPOSED else own
            wanted = _core.pdq_weigh(row[None].astype(np.float32), spread.reshape(1, 256))
            assert np.abs(found.weights[query].astype(int) - wanted[1][0]).max() <= 1
            assert abs(int(found.ceilings[query]) - int(wanted[2][0])) <= 16


TRANSPOSED = ("rotate90", "rotate270", "transpose", "anti_transpose")


def test_orientations_are_those_of_turned_pictures(rng):
    """A view in an orientation is near the turned picture's own query, if nothing was cut off.

    Sides are odd multiples of 64, whose windows are odd and whose samples lie in the middle.
    """
    pixels = smooth(rng, (320, 576))
    nothing = _core.PdqViews(np.zeros((1, 10)))
    samples = evidence.look(pixels, most=8).samples
    found = evidence.Queries(*nothing.weigh(samples.values, samples.aspect, 0, 1))
    for number, view in enumerate(turned(pixels)):
        wanted = evidence.Coefficients(evidence.look(view, most=8).coefficients.values[:1]).weigh()
        assert np.unpackbits(found.codes[number] ^ wanted.codes[0]).sum() <= 2
        assert np.abs(found.weights[number].astype(int) - wanted.weights[0]).max() <= 2


def test_views_are_weighed_in_two_orientations(rng):
    """Upright and mirrored, with the same weights as in eight."""
    samples = sampled(rng)
    every, two = views.weigh(samples), views.weigh(samples, orientations=2)
    rows = [8 * view + turn for view in range(len(views.VIEWS)) for turn in (0, 5)]
    for whole, part in zip(every, two, strict=True):
        assert (whole[rows] == part).all()


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((1080, 1080), "1:1"), ((1000, 1009), "1:1"), ((1000, 1020), ""), ((1080, 1350), "4:5"),
        ((1080, 1920), "9:16"), ((1920, 1080), "16:9"), ((1600, 1200), ""), ((1350, 1080), ""),
    ],
)  # fmt: skip
def test_shapes_of_applications_have_views_of_their_own(size, shape):
    """Other shapes pay nothing; each source that lost something has its margins."""
    assert views.find_shape(size[1] / size[0]) == shape
    own = views.VIEWS_OF[shape][len(views.VIEWS) :]
    assert bool(own) == bool(shape)
    for view in own:
        left, top, right, bottom = view.margins
        assert (left, top) == (right, bottom)
        width, height = map(int, view.name.split()[1].split(":"))
        cut = width / height * (1 - 2 * left) / (1 - 2 * top)
        assert cut == pytest.approx(size[0] / size[1], rel=0.01)


def test_flat_pictures_have_no_evidence_in_any_view():
    """Their ceilings are far below any threshold."""
    for pixels in (np.full((300, 200), 90, np.uint8), np.zeros((1, 1), np.uint8)):
        queries = views.weigh(evidence.look(pixels, most=8).samples)
        assert queries.ceilings.max() == 0


@pytest.mark.parametrize(
    "row",
    [
        (np.nan, *[0] * 9),
        (0.5, 0, 0.5, *[0] * 7),
        (0, 0.95, *[0] * 8),
        (-1.5, *[0] * 9),
        (*[0] * 4, 91, *[0] * 5),
        (*[0] * 5, 1, 0, 0, 1, 1),
        (*[0] * 5, 2, 0.5, 0, 0.5, 1),
    ],
)
def test_views_of_nothing_are_refused(row):
    """A view that leaves next to nothing, or is no number, raises ValueError."""
    with pytest.raises(ValueError, match="must"):
        _core.PdqViews(np.array([row], np.float64))


def evidences(pixels, code):
    """The evidence of a code in the queries of a picture's views."""
    queries = views.weigh(evidence.look(pixels, most=8).samples)
    other = np.unpackbits(queries.codes ^ code, axis=1)
    return (queries.ceilings - (other * queries.weights.astype(int)).sum(axis=1)) / 16


@pytest.mark.parametrize(
    ("edit", "kind"),
    [
        (lambda a: a[24:-24, 40:-40], "uncrop all sides"),
        (lambda a: a[:, 64:][:, ::-1], "uncrop right"),
        (lambda a: 255 - a, "negative"),
        (lambda a: 255 - a[:, ::-1], "negative"),
        (lambda a: np.where(np.add.outer(np.arange(480) < 360, np.arange(800) < 600), a, 255), ""),
    ],
)
def test_edited_copies_are_found(scene, edit, kind):
    """A crop and a mirrored one are evident in the view that undoes them, others are not."""
    pictures = [np.asarray(scene(seed, (800, 480)).convert("L")) for seed in range(8)]
    codes = [np.frombuffer(pdq.compute(one).value, np.uint8) for one in pictures]
    for number, pixels in enumerate(pictures):
        copy = np.ascontiguousarray(edit(pixels)).astype(np.uint8)
        found = [evidences(copy, code) for code in codes]
        best = [one.max() for one in found]
        assert best[number] >= 80
        assert max(best[:number] + best[number + 1 :]) < 40
        shape = views.find_shape(copy.shape[0] / copy.shape[1])
        view = views.VIEWS_OF[shape][int(found[number].argmax()) // 8]
        assert view.name.startswith(kind)
