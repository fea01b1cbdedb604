"""CutMix against a paste written out by hand, and the distribution of its boxes."""

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import cutmix, mixup

ORDER = torch.tensor([2, 0, 1])


@pytest.mark.parametrize("box", [(0, 2, 1, 4), (1, 1, 0, 3), (0, 2, 5, 5), (0, 4, 0, 5), (3, 4, 4, 5)])
def test_a_box_of_the_partner_is_pasted_and_the_targets_are_mixed_by_its_area(box):
    x, y = draw(3, 2, 4, 5), draw(3, 6, seed=1)
    pasted, mixed = cutmix(x, y, box=box, order=ORDER)
    top, bottom, left, right = box
    expected = x.clone()
    expected[..., top:bottom, left:right] = x[ORDER][..., top:bottom, left:right]
    weight = 1 - (bottom - top) * (right - left) / 20
    assert torch.equal(pasted, expected)
    torch.testing.assert_close(mixed, weight * y + (1 - weight) * y[ORDER])


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 2, 1, 4, 5)])
def test_images_may_have_no_channel_or_several_dimensions_of_them(shape):
    x, y = draw(*shape), draw(3, 6, seed=1)
    pasted, _ = cutmix(x, y, box=(1, 3, 0, 2), order=ORDER)
    expected = x.clone()
    expected[..., 1:3, 0:2] = x[ORDER][..., 1:3, 0:2]
    assert torch.equal(pasted, expected)


def test_the_target_is_the_fraction_of_pixels_that_each_image_gives():
    # Images of one grey each: what is in the result can be counted.
    x = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 9, 7).contiguous()
    generator = seeded()
    for _ in range(200):
        pasted, y = cutmix(x, torch.arange(4), num_classes=4, generator=generator)
        counted = torch.stack([(pasted == grey).float().mean((1, 2, 3)) for grey in range(4)], dim=1)
        torch.testing.assert_close(y, counted)


def boxes(n, height, width, alpha=1.0):
    """Corners of the boxes in n draws, where images of zeros meet images of ones."""
    x, swap, generator, found = torch.zeros(2, 1, height, width), torch.tensor([1, 0]), seeded(), []
    x[1] = 1
    for _ in range(n):
        inside = cutmix(x, x[:, 0, 0, :1], alpha, generator=generator, order=swap)[0][0, 0]
        rows, columns = inside.any(1).nonzero().flatten().tolist(), inside.any(0).nonzero().flatten().tolist()
        assert inside.sum() == len(rows) * len(columns)
        if rows:
            assert rows == list(range(rows[0], rows[-1] + 1))
            assert columns == list(range(columns[0], columns[-1] + 1))
        found.append((rows, columns))
    return found


def test_a_box_is_one_rectangle_whose_area_is_beta_before_the_edges_cut_it():
    # At alpha = 1 the side is size sqrt(u), rounded down: k has a chance of (2k + 1) / size^2. Boxes that touch neither
    # the upper nor the lower edge are whole; of a length k, size - 1 - k places out of size are such.
    size, n = 40, 3_000
    lengths = [len(rows) for rows, _ in boxes(n, size, size) if rows and rows[0] > 0 and rows[-1] < size - 1]
    chance = [(2 * k + 1) / size**2 * (size - 1 - k) / size for k in range(size)]
    for below in (5, 10, 20, 30, 40):
        p = sum(chance[1:below])
        count = sum(length < below for length in lengths)
        assert stats.binom.ppf(1e-8, n, p) <= count <= stats.binom.isf(1e-8, n, p)


def test_each_place_that_a_small_box_can_take_has_its_chance():
    # On 3 places at alpha = 1: of length 0, 1 and 2 with 1/9, 3/9 and 5/9; from its centre, or one place before it.
    n, found = 900, [tuple(rows) for rows, columns in boxes(900, 3, 3)]
    chances = {(): 3, (0,): 8, (1,): 3, (2,): 3, (0, 1): 5, (1, 2): 5}  # of 27
    assert set(found) == set(chances)
    for rows, chance in chances.items():
        assert stats.binom.ppf(1e-8, n, chance / 27) <= found.count(rows) <= stats.binom.isf(1e-8, n, chance / 27)


def test_every_place_can_be_the_centre_its_row_and_column_drawn_apart():
    # A box of one pixel has one chance in 27 at each place of 3 x 3: one is missing once in 10^14.
    single = {(*rows, *columns) for rows, columns in boxes(900, 3, 3) if len(rows) == len(columns) == 1}
    assert single == {(row, column) for row in range(3) for column in range(3)}


def test_labels_become_one_hot_in_the_type_of_the_images():
    x, labels = draw(3, 1, 4, 4).float(), torch.tensor([0, 2, 1])
    _, y = cutmix(x, labels, num_classes=3, box=(0, 2, 0, 2), order=ORDER)
    torch.testing.assert_close(y, 0.75 * F.one_hot(labels, 3).float() + 0.25 * F.one_hot(labels[ORDER], 3).float())
    assert y.dtype == torch.float32


def test_the_same_seed_gives_the_same_box_and_alpha_is_1_unless_told():
    x, y = draw(3, 1, 8, 8), draw(3, 2)
    first, second = (cutmix(x, y, *alpha, generator=seeded(4)) for alpha in ((), (1.0,)))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_its_gradient_reaches_both_images():
    x = draw(3, 1, 2, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cutmix(x, x.sum((1, 2, 3)), box=(0, 1, 0, 2), order=ORDER), x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_types(dtype):
    x, y = cutmix(draw(3, 1, 4, 4).to(dtype), draw(3, 2), generator=seeded())
    assert (x.dtype, y.dtype) == (dtype, torch.float64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.ones(3, 4)}, r"^x has shape \(3, 4\): it must be \(N, ..., H, W\), 3 dimensions or more$"),
        ({"alpha": 0}, r"^alpha = 0 is not allowed: it must be a finite number, above 0$"),
        ({"box": (0, 5, 0, 2)}, r"^box = \(0, 5, 0, 2\) is not allowed: it must be inside the image, 4 x 4$"),
        ({"box": (2, 1, 0, 2)}, r"^box = \(2, 1, 0, 2\) is not allowed"),
        ({"box": (0, 1, -1, 2)}, r"^box = \(0, 1, -1, 2\) is not allowed"),
        ({"box": (-1, 1, 0, 2)}, r"^box = \(-1, 1, 0, 2\) is not allowed"),
        ({"box": (0, 1, 0, 5)}, r"^box = \(0, 1, 0, 5\) is not allowed"),
        ({"order": torch.arange(2)}, r"^order has shape \(2,\): it must be a permutation of 3 examples$"),
        ({"y": torch.arange(3)}, r"^y has dtype torch.int64: labels cannot be mixed, probabilities can: give num_cl"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        cutmix(**{"x": torch.ones(3, 1, 4, 4), "y": torch.ones(3), **arguments})


# What mixup takes besides soft targets


@pytest.mark.parametrize("mix", [mixup, cutmix])
@pytest.mark.parametrize("labels", [[0, 1, 3], [-1, 0, 0]])
def test_a_label_that_is_no_class_is_named_with_what_is_allowed(mix, labels):
    with pytest.raises(ArgumentError, match=r"^y has labels from -?\d to \d: with num_classes = 3 .* from 0 to 2$"):
        mix(torch.ones(3, 1, 4, 4), torch.tensor(labels), num_classes=3)


def test_mixup_mixes_integer_labels():
    labels = torch.tensor([0, 2, 1])
    _, y = mixup(draw(3, 2), labels, num_classes=3, weight=torch.tensor(0.75), order=ORDER)
    torch.testing.assert_close(y, 0.75 * F.one_hot(labels, 3) + 0.25 * F.one_hot(labels[ORDER], 3), check_dtype=False)


def test_mixup_labels_each_position_of_a_map():
    labels = torch.tensor([[0, 2], [1, 0]])
    _, y = mixup(draw(2, 5), labels, num_classes=3, generator=seeded())
    assert y.shape == (2, 2, 3)


def test_mixup_draws_a_weight_for_each_example_from_beta():
    # In x = (1, 0, 1, 0, ...) with the neighbour as partner, x' is l for the ones and 1 - l for the zeros.
    n = 4_000
    x, order = torch.arange(n, dtype=torch.float64) % 2, torch.arange(n).view(-1, 2).flip(1).flatten()
    mixed, _ = mixup(x, x, 0.5, per_example=True, generator=seeded(), order=order)
    weights = torch.where(x == 1, mixed, 1 - mixed)
    assert stats.kstest(weights.numpy(), stats.beta(0.5, 0.5).cdf).pvalue > 1e-7
