import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from helpers import draw, seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import mixup
from regdemo.regularizers.inputs import draw_beta

FALSE_ALARM = 1e-7


@pytest.mark.parametrize("shape", [(6,), (6, 3), (6, 2, 4)])
def test_it_mixes_inputs_and_targets_by_one_formula(shape):
    x, y, order = draw(*shape), draw(6, 5), torch.tensor([3, 0, 1, 5, 2, 4])
    mixed_x, mixed_y = mixup(x, y, weight=torch.tensor(0.3), order=order)
    torch.testing.assert_close(mixed_x, torch.lerp(x[order], x, 0.3), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mixed_y, torch.lerp(y[order], y, 0.3), rtol=1e-6, atol=1e-6)


def test_every_example_may_have_a_weight_of_its_own():
    x, weight, order = draw(4, 3, 2), torch.tensor([0.0, 0.25, 0.5, 1.0]), torch.tensor([1, 2, 3, 0])
    mixed, _ = mixup(x, x, weight=weight, order=order)
    expected = torch.stack([w * x[i] + (1 - w) * x[j] for i, (w, j) in enumerate(zip(weight, order, strict=True))])
    torch.testing.assert_close(mixed, expected)


def test_the_loss_on_mixed_targets_is_the_mixture_of_the_losses():
    labels, order, logits = torch.tensor([0, 2, 1, 2]), torch.tensor([1, 0, 3, 2]), draw(4, 3)
    _, y = mixup(draw(4, 2), F.one_hot(labels).double(), weight=torch.tensor(0.7, dtype=torch.float64), order=order)
    expected = 0.7 * F.cross_entropy(logits, labels) + 0.3 * F.cross_entropy(logits, labels[order])
    torch.testing.assert_close(F.cross_entropy(logits, y), expected)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 20.0])
def test_the_weight_is_drawn_from_beta(alpha):
    generator, pair, swap = seeded(), torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([1, 0])
    weights = [mixup(pair, pair, alpha, generator=generator, order=swap)[0][0].item() for _ in range(2_000)]
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("alpha", [0.2, 1.0, 20.0])
def test_many_weights_at_once_are_beta_in_every_part(alpha):
    # With 100,000 draws 0.9% between the distributions is noticed: an angle that isn't uniform would be further off.
    weights = draw_beta(alpha, torch.device("cpu"), seeded(), (100_000,))
    assert stats.kstest(weights.numpy(), stats.beta(alpha, alpha).cdf).pvalue > FALSE_ALARM


def test_the_weights_spread_is_that_of_beta():
    # Gamma draws of another shape behind it would make the variance 0.87 of this: 9 standard errors less.
    n, beta, generator = 6_000, stats.beta(2, 2), seeded()
    squares = [(draw_beta(2.0, torch.device("cpu"), generator).item() - 0.5) ** 2 for _ in range(n)]
    deviation = (beta.expect(lambda b: (b - 0.5) ** 4) - beta.var() ** 2) ** 0.5
    assert abs(sum(squares) / n - beta.var()) <= stats.norm.isf(FALSE_ALARM / 2) * deviation / n**0.5


@pytest.mark.parametrize("below", [1e-200, 1e-50, 1e-5, 0.5])
def test_the_weight_is_drawn_from_beta_where_gamma_draws_underflow(below):
    generator, pair, swap = seeded(), torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([1, 0])
    n, p = 2_000, stats.beta(0.01, 0.01).cdf(below)
    count = sum(mixup(pair, pair, 0.01, generator=generator, order=swap)[0][0].item() <= below for _ in range(n))
    assert stats.binom.ppf(FALSE_ALARM / 2, n, p) <= count <= stats.binom.isf(FALSE_ALARM / 2, n, p)


def test_one_weight_and_one_order_serve_the_batch():
    x = torch.arange(50.0, dtype=torch.float64)
    mixed, targets = mixup(x, x, 1.0, generator=seeded())
    assert torch.equal(mixed, targets)
    # l x + (1 - l) x[order] has the sum of x, whatever l is, if order is a permutation.
    torch.testing.assert_close(mixed.sum(), x.sum())


def test_alpha_is_a_fifth_unless_told():
    x = draw(5)
    assert torch.equal(mixup(x, x, generator=seeded())[0], mixup(x, x, 0.2, generator=seeded())[0])


def test_the_same_seed_gives_the_same_mixture_and_leaves_the_global_generator():
    x, before = draw(5), torch.get_rng_state()
    first, second = mixup(x, x, generator=seeded(1))[0], mixup(x, x, generator=seeded(1))[0]
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_types(dtype):
    x, y = mixup(draw(5).to(dtype), draw(5, 2).float(), generator=seeded())
    assert (x.dtype, y.dtype) == (dtype, torch.float32)


def test_its_gradient_is_that_of_finite_differences():
    weight, order = torch.tensor(0.3), torch.tensor([2, 0, 1])
    inputs = draw(3, 2).requires_grad_(), draw(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: mixup(x, y, weight=weight, order=order), inputs)


def test_vmap_over_batches_with_a_shared_weight_is_a_loop():
    x, weight, order = draw(4, 3, 2), torch.tensor(0.3), torch.tensor([2, 0, 1])
    together = torch.func.vmap(lambda x: mixup(x, x, weight=weight, order=order)[0])(x)
    torch.testing.assert_close(together, torch.stack([mixup(b, b, weight=weight, order=order)[0] for b in x]))


def test_compiled_into_one_graph_it_is_the_same():
    x, weight, order = draw(3, 2), torch.tensor(0.3), torch.tensor([2, 0, 1])
    compiled = torch.compile(lambda x: mixup(x, x, weight=weight, order=order)[0], backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), mixup(x, x, weight=weight, order=order)[0])


def test_an_empty_batch_stays_empty():
    x, y = mixup(torch.ones(0, 3), torch.ones(0, 2), generator=seeded())
    assert (x.shape, y.shape) == ((0, 3), (0, 2))


@pytest.mark.parametrize("alpha", [0, -1.0, torch.nan, torch.inf, "0.2"])
def test_a_bad_alpha_is_named(alpha):
    with pytest.raises(ArgumentError, match=r"^alpha = .* is not allowed"):
        mixup(torch.ones(2), torch.ones(2), alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.ones(2).long()}, r"^x has dtype torch.int64: it must be floating point"),
        ({"x": torch.tensor(1.0)}, r"^x has shape \(\): it must be \(N, \.\.\.\)"),
        ({"y": torch.ones(2).long()}, r"^y has dtype torch.int64: labels cannot be mixed, probabilities can"),
        ({"y": torch.ones(3)}, r"^y has shape \(3,\) and x \(2,\): they must have as many rows$"),
        ({"weight": torch.ones(3)}, r"^weight has shape \(3,\): it must be \(2,\), or broadcast to it$"),
        ({"order": torch.tensor([0, 1, 2])}, r"^order has shape \(3,\): it must be a permutation of 2 examples$"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        mixup(**{"x": torch.ones(2), "y": torch.ones(2), **arguments})


def test_a_target_without_rows_is_refused_by_its_shape():
    with pytest.raises(ArgumentError, match=r"^y has shape \(\) and x \(2, 3\)"):
        mixup(torch.ones(2, 3), torch.tensor(1.0))
