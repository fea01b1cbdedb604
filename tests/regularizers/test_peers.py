"""The table of docs/pages/peers.md, row by row: what our call returns next to the peer's, where the peer is installed.

The peers' own test suites expect more than the rows compare; those expectations are below, as tests of ours.
"""

import copy
import warnings
from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, default_collate

from helpers import draw, seeded
from regdemo import regularizers as r
from regdemo.errors import ArgumentError

P = 0.3


@pytest.fixture(autouse=True)
def global_generator_as_found():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def peer(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def kept_rows(y):
    return (y != 0).flatten(1).any(1).view(-1, *(1,) * (y.dim() - 1))


# torch


@pytest.mark.parametrize(
    ("theirs", "ours", "shape"),
    [
        (nn.Dropout(P), r.Dropout(P), (40, 30)),
        (nn.Dropout1d(P), r.SpatialDropout(P, positions=1), (9, 8, 5)),
        (nn.Dropout2d(P), r.SpatialDropout(P, positions=2), (9, 8, 5, 3)),
        (nn.Dropout3d(P), r.SpatialDropout(P, positions=3), (9, 8, 2, 3, 2)),
    ],
)
def test_torchs_dropouts_are_ours_with_the_mask_that_they_drew(theirs, ours, shape):
    x = draw(*shape)
    y = theirs(x)
    mask = y != 0 if len(shape) == 2 else (y != 0).flatten(2).any(-1).view(*shape[:2], *(1,) * (len(shape) - 2))
    function = r.dropout if len(shape) == 2 else r.spatial_dropout
    torch.testing.assert_close(function(x, P, mask=mask), y, rtol=1e-14, atol=0)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_p_of_1_is_zeros_in_torch_and_refused_here():
    assert not F.dropout(torch.ones(3), 1.0).any()
    for function in (r.dropout, r.drop_path, r.drop_block):
        with pytest.raises(ValueError, match=r"^p = 1.0 is not a drop probability"):
            function(torch.ones(2, 1, 7, 7), 1.0)


@pytest.mark.parametrize("p", [-0.1, 1.1])
@pytest.mark.parametrize("make", [r.Dropout, r.SpatialDropout, r.AlphaDropout, r.DropPath, r.DropBlock])
def test_a_rate_out_of_range_is_a_value_error_as_in_torch(make, p):
    with pytest.raises(ValueError, match="drop probability"):
        make(p)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make", [r.Dropout, r.SpatialDropout, r.DropPath, r.DropBlock])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_memory_layout_is_kept_forward_and_backward(make, layout, dtype):
    x = torch.ones(3, 2, 7, 8, dtype=dtype).to(memory_format=layout).requires_grad_()
    y = make(P)(x)
    assert y.is_contiguous(memory_format=layout)
    y.backward(torch.ones_like(x, memory_format=layout))
    assert x.grad.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("make", [r.Dropout, r.SpatialDropout])
def test_the_strides_of_any_permutation_are_kept(make):
    for order in permutations(range(4)):
        x = torch.ones(2, 3, 4, 5).permute(order).contiguous().permute([order.index(i) for i in range(4)])
        assert make(1e-10)(x).permute(order).is_contiguous()
        assert torch.equal(make(1e-10)(x), x)


def test_alpha_dropout_keeps_mean_and_deviation_of_normal_input():
    # Of 200,000 draws; the bound is 6 standard errors of the deviation of what has the fourth moment of dropout's y.
    x = torch.randn(200_000, generator=seeded(), dtype=torch.float64)
    for p in (0.2, 0.5, 0.8):
        y = r.alpha_dropout(x, p, generator=seeded(1))
        assert abs(y.mean() - x.mean()) < 6 * 2 / 200_000**0.5
        assert abs(y.std() - x.std()) < 6 * 2 / 200_000**0.5


def test_an_unbatched_image_is_refused_where_torch_takes_it_for_a_sequence_with_a_warning():
    image = torch.ones(3, 8, 8)
    with pytest.warns(UserWarning, match="channel-wise 1D dropout"):
        F.dropout2d(image, P)
    with pytest.raises(ArgumentError, match="unsqueeze"):
        r.SpatialDropout(P, positions=2)(image)


# timm


def test_timms_drop_path_is_ours_with_the_mask_that_it_drew():
    timm = peer("timm.layers.drop")
    x = draw(20, 3, 2)
    for scale in (True, False):
        y = timm.drop_path(x, P, True, scale)
        torch.testing.assert_close(r.drop_path(x, P, True, scale, mask=kept_rows(y)), y, rtol=1e-14, atol=0)
    assert torch.equal(r.DropPath(P, True).eval()(x), timm.DropPath(P, True).eval()(x))


def test_timms_layerwise_rates_are_ours():
    timm = peer("timm.layers")
    assert r.layerwise_rates(5, 0.2) == pytest.approx(timm.calculate_drop_path_rates(0.2, 5), abs=1e-7)


def test_timms_drop_block_draws_blocks_over_the_edge_and_ours_does_not():
    timm = peer("timm.layers.drop")
    ones = torch.ones(4000, 1, 7, 7)
    assert (timm.drop_block_2d(ones, 0.1, 7) == 0).float().mean() > 0.5  # asked for 0.1
    assert abs((r.drop_block(ones, 0.1, 7, couple_channels=True) == 0).float().mean() - 0.1) < 0.04


def test_the_models_of_timm_get_their_paths_set_and_keep_their_dropout():
    timm = peer("timm")
    model = timm.create_model("vit_tiny_patch16_224", depth=2, drop_path_rate=0.3, proj_drop_rate=0.1)
    changed = r.set_dropout(model, 0.2, kind="path")
    assert changed
    assert all(name.endswith("drop_prob") for name in changed)
    assert 0.1 in changed.left_alone.values()


@pytest.mark.parametrize("sides", [(7, 7), (4, 8), (10, 5), (3, 3)])
def test_drop_block_keeps_the_shape_of_any_map(sides):
    assert r.drop_block(torch.ones(2, 3, *sides), 0.1, 3).shape == (2, 3, *sides)


def test_timm_takes_even_blocks_and_ours_refuses_them_as_torchvisions():
    with pytest.raises(ArgumentError, match="must be odd"):
        r.drop_block(torch.ones(1, 1, 8, 8), 0.1, 2)


# torchvision


@pytest.mark.parametrize(("mode", "per_sample"), [("row", True), ("batch", False)])
def test_torchvisions_stochastic_depth_is_ours_with_the_mask_that_it_drew(mode, per_sample):
    ops = peer("torchvision.ops")
    x = draw(20, 3, 2)
    for _ in range(5):
        y = ops.stochastic_depth(x, P, mode)
        kept = kept_rows(y)
        assert per_sample or kept.unique().numel() == 1
        torch.testing.assert_close(r.drop_path(x, P, per_sample=per_sample, mask=kept), y, rtol=1e-14, atol=0)


@pytest.mark.parametrize("positions", [2, 3])
def test_torchvisions_drop_block_is_ours_with_the_mask_that_it_drew(positions):
    ops = peer("torchvision.ops")
    theirs = ops.drop_block2d if positions == 2 else ops.drop_block3d
    x = draw(3, 4, *(9,) * positions)
    y = theirs(x, P, 3)
    ours = r.drop_block(x, P, 3, positions=positions, mask=y != 0)
    torch.testing.assert_close(ours, y, rtol=1e-6, atol=0)  # theirs divides by 1e-6 more


@pytest.mark.parametrize("positions", [2, 3])
def test_a_block_as_large_as_the_map_drops_all_of_it_or_nothing(positions):
    y = r.drop_block(torch.ones(50, 3, *(5,) * positions), P, 5, positions=positions, generator=seeded())
    assert {kept.item() for kept in (y != 0).flatten(2).double().mean(2).unique()} == {0.0, 1.0}


@pytest.mark.parametrize("positions", [2, 3])
@pytest.mark.parametrize("p", [0.1, 0.2])
def test_blocks_of_3_drop_a_fraction_p_of_an_11_wide_map_within_15_percent(positions, p):
    x = torch.ones(1500 if positions == 2 else 150, 1, *(11,) * positions)  # both have some 2,000 blocks at 0.1
    dropped = (r.drop_block(x, p, 3, positions=positions, generator=seeded()) == 0).double().mean().item()
    assert dropped == pytest.approx(p, rel=0.15)


@pytest.mark.parametrize("mix", [r.mixup, r.cutmix])
def test_as_a_data_loaders_collate_function_it_makes_targets_of_at_most_two_classes(mix):
    examples = [(torch.rand(3, 6, 6), label) for label in range(8)]
    collate = lambda batch: mix(*default_collate(batch), num_classes=10)  # noqa: E731
    (x, y), *more = DataLoader(examples, batch_size=8, collate_fn=collate)
    assert not more
    assert x.shape == (8, 3, 6, 6)
    torch.testing.assert_close(y.sum(1), torch.ones(8))
    assert ((y != 0).sum(1) <= 2).all()


def test_a_block_larger_than_the_map_is_shrunk_by_torchvision_and_refused_here():
    ops = peer("torchvision.ops")
    assert ops.drop_block2d(torch.ones(1, 1, 3, 3), 0.1, 7).shape == (1, 1, 3, 3)
    with pytest.raises(ArgumentError, match=r"^block_size = 7 does not fit a 3 x 3 map"):
        r.drop_block(torch.ones(1, 1, 3, 3), 0.1, 7)


def rolled(n):
    return torch.arange(n).roll(1)


def test_torchvisions_mixup_is_ours_with_its_weight_and_the_neighbour_as_partner():
    v2 = peer("torchvision.transforms.v2")
    x, labels = draw(6, 3, 8, 8).float(), torch.tensor([0, 1, 2, 0, 1, 2])
    theirs_x, theirs_y = v2.MixUp(alpha=1.0, num_classes=3)(x, labels)
    weight = theirs_y[0, labels[0]]  # its partner, the last one, has another label
    ours_x, ours_y = r.mixup(x, labels, num_classes=3, weight=weight, order=rolled(6))
    torch.testing.assert_close(ours_x, theirs_x)
    torch.testing.assert_close(ours_y, theirs_y)


def test_torchvisions_cutmix_is_ours_with_its_box():
    v2 = peer("torchvision.transforms.v2")
    x, labels = draw(6, 3, 9, 8).float(), torch.arange(6)
    theirs_x, theirs_y = v2.CutMix(alpha=1.0, num_classes=6)(x, labels)
    pasted = (theirs_x != x).any(1).any(0)
    rows, columns = (pasted.any(dim).nonzero().flatten().tolist() for dim in (1, 0))
    box = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if rows else (0, 0, 0, 0)
    ours_x, ours_y = r.cutmix(x, labels, num_classes=6, box=box, order=rolled(6))
    torch.testing.assert_close(ours_x, theirs_x)
    torch.testing.assert_close(ours_y, theirs_y)


def test_torchvisions_feature_extraction_goes_through_our_modules():
    extraction = peer("torchvision.models.feature_extraction")
    model = nn.Sequential(nn.Conv2d(3, 4, 3), r.DropBlock(P, 3), r.SpatialDropout(P), nn.ReLU(), r.DropPath(P)).eval()
    x = draw(2, 3, 8, 8).float()
    features = extraction.create_feature_extractor(model, ["3"])(x)
    torch.testing.assert_close(features["3"], model[:4](x))


def test_torchvisions_flips_and_stochastic_depth_keep_their_rate():
    peer("torchvision")
    from torchvision.ops import StochasticDepth
    from torchvision.transforms import RandomHorizontalFlip

    model = nn.Sequential(RandomHorizontalFlip(0.5), nn.Dropout(0.5), StochasticDepth(0.3, "row"))
    changed = r.set_dropout(model, 0.1)
    assert (changed, changed.left_alone) == ({"1.p": 0.1}, {"0.p": 0.5, "2.p": 0.3})


# pytorch_optimizer


def trained(make, steps=12):
    a = nn.Parameter(torch.tensor([1.5, -2.0, 0.5]))
    b = nn.Parameter(torch.tensor([[0.3]]))
    optimizer = make([a, b])

    def closure():
        optimizer.zero_grad()
        loss = (a**4).sum() + (a.sum() * b).square().sum() + (b - 1).square().sum()
        loss.backward()
        return loss

    losses = []
    for _ in range(steps):
        losses.append(closure().item())
        optimizer.step(closure)
    return a.detach(), b.detach(), losses


@pytest.mark.parametrize("adaptive", [False, True])
def test_pytorch_optimizers_sam_steps_as_ours(adaptive):
    theirs = peer("pytorch_optimizer").SAM
    a, b, _ = trained(lambda ps: theirs(ps, torch.optim.SGD, rho=0.1, adaptive=adaptive, lr=0.01, momentum=0.9))
    base = {"lr": 0.01, "momentum": 0.9}
    ours = trained(lambda ps: r.SAM(torch.optim.SGD(ps, **base), 0.1, adaptive=adaptive))
    torch.testing.assert_close(ours[0], a, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours[1], b, rtol=1e-4, atol=1e-5)


def test_pytorch_optimizers_lookahead_steps_as_ours():
    theirs = peer("pytorch_optimizer").Lookahead
    a, b, _ = trained(lambda ps: theirs(torch.optim.SGD(ps, lr=0.01), k=5, alpha=0.5))
    ours = trained(lambda ps: r.Lookahead(torch.optim.SGD(ps, lr=0.01), k=5, alpha=0.5))
    torch.testing.assert_close(ours[0], a)
    torch.testing.assert_close(ours[1], b)


@pytest.mark.parametrize("around", [r.SAM, r.Lookahead])
def test_an_optimizer_around_another_lowers_the_loss(around):
    *_, losses = trained(lambda ps: around(torch.optim.AdamW(ps, lr=0.05)), steps=40)
    assert losses[-1] < losses[0] / 10


# opacus


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_opacus_clipped_gradient_is_ours():
    opacus = peer("opacus.grad_sample")
    model, x, y = nn.Linear(3, 2).double(), draw(8, 3), draw(8, 2, seed=1)
    sampled = opacus.GradSampleModule(copy.deepcopy(model), loss_reduction="sum")
    (sampled(x) - y).square().sum().backward()
    each = {name.removeprefix("_module."): p.grad_sample for name, p in sampled.named_parameters()}
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in each.values()]).norm(dim=0)
    factors = (1.5 / norms).clamp(max=1)
    expected = {name: torch.einsum("n,n...->...", factors, g) / 8 for name, g in each.items()}
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters, x, y):
        return (torch.func.functional_call(model, parameters, (x,)) - y).square().sum()

    ours = r.dp_sgd(loss, parameters, x, y, max_norm=1.5, noise_multiplier=0)
    torch.testing.assert_close(ours, expected)
