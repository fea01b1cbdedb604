import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax
from scipy.stats import entropy

from regdemo.errors import ArgumentError
from regdemo.regularizers import r_drop
from regdemo.regularizers.targets import disagreement


def draw(*shape, classes=4):
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, *shape, classes, generator=generator, dtype=torch.float64)
    return first, second, torch.randint(classes, shape, generator=generator)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 5.0])
def test_it_is_two_cross_entropies_and_the_symmetric_kl_in_numpy(alpha):
    first, second, target = draw(6)
    p, q = softmax(first.numpy(), -1), softmax(second.numpy(), -1)
    rows = np.arange(6)
    kl = (entropy(p, q, axis=-1) + entropy(q, p, axis=-1)) / 2
    expected = np.mean(-np.log(p[rows, target]) - np.log(q[rows, target]) + alpha * kl)
    assert r_drop(first, second, target, alpha).item() == pytest.approx(expected, rel=1e-12)


def test_the_weight_is_1_unless_told():
    first, second, target = draw(6)
    assert torch.equal(r_drop(first, second, target), r_drop(first, second, target, 1.0))


def test_two_equal_passes_cost_twice_the_cross_entropy_whatever_the_weight():
    first, _, target = draw(6)
    torch.testing.assert_close(r_drop(first, first, target, 50.0), 2 * F.cross_entropy(first, target))


def test_the_gradient_flows_into_both_passes_alike():
    first, second, target = draw(6)
    first.requires_grad_()
    second.requires_grad_()
    a = torch.autograd.grad(r_drop(first, second, target, 3.0), (first, second))
    b = torch.autograd.grad(r_drop(second, first, target, 3.0), (first, second))
    torch.testing.assert_close(a, b)
    assert all(gradient.abs().max() > 0 for gradient in a)


def test_its_gradient_is_that_of_finite_differences():
    first, second, target = draw(5)
    inputs = first.requires_grad_(), second.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: r_drop(a, b, target, 2.0), inputs)


def test_a_sequence_is_as_many_examples_and_an_ignored_label_is_left_out():
    first, second, target = draw(3, 5)
    target[1, 2:] = -100
    counted = target != -100
    expected = r_drop(first[counted], second[counted], target[counted], 2.0)
    torch.testing.assert_close(r_drop(first, second, target, 2.0), expected)


def test_a_label_is_left_out_of_a_single_class_too():
    assert r_drop(torch.ones(2, 1), torch.ones(2, 1), torch.tensor([0, -100])).item() == 0


def test_an_ignored_example_gets_no_gradient():
    first, second, target = draw(3)
    target[1] = -100
    first.requires_grad_()
    r_drop(first, second, target).backward()
    assert (first.grad != 0).any(-1).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_it_keeps_the_type_and_agrees_with_float64(dtype):
    first, second, target = draw(6)
    first, second = first.to(dtype), second.to(dtype)
    loss, expected = r_drop(first, second, target), r_drop(first.double(), second.double(), target)
    assert loss.dtype == dtype
    assert loss.double().item() == pytest.approx(expected.item(), rel=16 * torch.finfo(dtype).eps)


def test_vmap_is_a_loop():
    first, second, target = draw(3, 5)
    expected = torch.stack([r_drop(*example) for example in zip(first, second, target, strict=True)])
    torch.testing.assert_close(torch.func.vmap(r_drop)(first, second, target), expected)


def test_compiled_into_one_graph_it_is_the_same():
    compiled = torch.compile(r_drop, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*draw(6)), r_drop(*draw(6)))


def test_a_logit_that_is_not_a_number_shows_in_the_loss():
    first, second, target = draw(3)
    first[0, 0] = torch.nan
    assert r_drop(first, second, target).isnan()


@pytest.mark.parametrize("alpha", [-1.0, torch.nan, torch.inf, "1"])
def test_a_bad_weight_is_named(alpha):
    with pytest.raises(ArgumentError, match=r"^alpha = .* is not allowed"):
        r_drop(*draw(3), alpha)


def test_integer_logits_are_refused():
    first, second, target = draw(3)
    with pytest.raises(ArgumentError, match=r"^first has dtype torch.int64: it must be floating point"):
        r_drop(first.long(), second.long(), target)


def test_logits_without_a_class_dimension_are_refused():
    with pytest.raises(ArgumentError, match=r"^first has shape \(3,\): it must be \(N, K\)"):
        r_drop(torch.ones(3), torch.ones(3), torch.tensor(0))


@pytest.mark.parametrize("second", [torch.ones(3, 5), torch.ones(4, 4), torch.ones(3, 4, dtype=torch.float64)])
def test_a_second_pass_over_something_else_is_refused(second):
    with pytest.raises(ArgumentError, match=r"^second has shape .* they must be two passes over the same examples$"):
        r_drop(torch.ones(3, 4), second, torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(
    ("shape", "target"), [((3, 4), torch.zeros(2)), ((3, 4), torch.zeros(3)), ((0, 4), torch.zeros(0))]
)
def test_targets_that_are_no_class_indices_are_refused(shape, target):
    with pytest.raises(ArgumentError, match=r"^target has shape .* class indices, at least one$"):
        r_drop(torch.ones(shape), torch.ones(shape), target)


@pytest.mark.parametrize("shape", [(2,), (3, 4), (0,)])
def test_a_target_of_another_shape_is_refused(shape):
    with pytest.raises(ArgumentError, match=r"^target has shape .* it must hold \(3,\) class indices"):
        r_drop(torch.ones(3, 4), torch.ones(3, 4), torch.zeros(shape, dtype=torch.long))


def test_a_target_that_does_not_fit_a_batch_of_sequences_is_told_both_of_their_dimensions():
    with pytest.raises(ArgumentError, match=r"^target has shape \(2,\) .* it must hold \(2, 3\) class indices"):
        r_drop(torch.ones(2, 3, 4), torch.ones(2, 3, 4), torch.zeros(2, dtype=torch.long))


def test_one_example_is_enough_and_none_is_refused():
    logits = torch.tensor([[0.0, 0.0]])
    assert r_drop(logits, logits, torch.tensor([1])).item() == pytest.approx(2 * 0.693147, rel=1e-5)
    with pytest.raises(ArgumentError, match=r"^target has shape \(0,\) .* at least one$"):
        r_drop(logits[:0], logits[:0], torch.zeros(0, dtype=torch.long))


# Classes that cannot be, and examples that do not count

INF = float("inf")


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_class_that_both_passes_rule_out_adds_nothing(alpha):
    first, second, target = draw(6)
    masked = torch.full((6, 1), -INF, dtype=torch.float64)
    with_it = [torch.cat([logits, masked], -1).requires_grad_() for logits in (first, second)]
    torch.testing.assert_close(r_drop(*with_it, target, alpha), r_drop(first, second, target, alpha))
    r_drop(*with_it, target, alpha).backward()
    plain = first.clone().requires_grad_()
    r_drop(plain, second, target, alpha).backward()
    torch.testing.assert_close(with_it[0].grad, torch.cat([plain.grad, torch.zeros_like(masked)], -1))


def test_a_class_that_one_pass_rules_out_is_an_infinite_disagreement():
    first, second = torch.tensor([[0.0, -INF]]), torch.tensor([[0.0, 0.0]])
    assert r_drop(first, second, torch.tensor([0]), 1.0).item() == INF
    assert r_drop(first, second, torch.tensor([0]), 0.0).item() == pytest.approx(np.log(2))


def test_a_batch_whose_every_label_is_ignored_costs_nothing_and_has_a_gradient_of_0():
    first, second, _ = draw(3)
    first.requires_grad_()
    loss = r_drop(first, second, torch.full((3,), -100))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(first.grad, torch.zeros_like(first))


@pytest.mark.parametrize("label", [-1, 4, -101])
def test_a_label_that_is_no_class_is_named_with_what_is_allowed(label):
    first, second, target = draw(3, 5)  # 4 classes, unlike the number of examples in either dimension
    target[0], target[1, 2] = 0, label
    with pytest.raises(ArgumentError, match=rf"^target holds the label {label}: it must be from 0 to 3, or -100 to"):
        r_drop(first, second, target)


def test_the_disagreement_of_sequences_is_that_of_their_examples():
    first, second, _ = draw(3, 5)
    expected = disagreement(first.flatten(0, 1), second.flatten(0, 1)).view(3, 5)
    torch.testing.assert_close(disagreement(first, second), expected)
