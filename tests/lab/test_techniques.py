"""Each batched technique against torch's or the library's own, on one network at a time."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from regdemo import regularizers
from regdemo.lab import metrics
from regdemo.lab.recipe import Recipe
from regdemo.lab.streams import RngStreams, stream
from regdemo.lab.task import Task
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import TrainingRun

SIZES = (5, 12, 8, 4)
BATCH = torch.arange(20)


@pytest.fixture(scope="module")
def task():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(90, 5, dtype=torch.float64, generator=generator)
    y = torch.randint(4, (90,), generator=generator)
    return Task(
        "noise", "", x[:60], y[:60], x[60:], y[60:], classes=4, hidden=(12, 8), batch_size=20, learning_rate=0.05
    )


def run(task, *names, members=(0, 1), steps=10, **values):
    techniques = tuple(TECHNIQUES[name](**values) for name in names)
    made = TrainingRun(task, Recipe("an arm", techniques), members, seed=3)
    made.steps = steps
    return made


def module(parameters, member):
    """One network as torch modules, with no gradient in common."""
    layers = [nn.Linear(n, m, dtype=torch.float64) for n, m in pairwise(SIZES)]
    for layer, weight, bias in zip(layers, parameters[::2], parameters[1::2], strict=True):
        layer.weight.data, layer.bias.data = weight[member].detach().T.clone(), bias[member, 0].detach().clone()
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def modules(parameters):
    return [module(parameters, member) for member in range(2)]


def assert_same(parameters, networks):
    for member, network in enumerate(networks):
        other = module(parameters, member)
        for ours, theirs in zip(other.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def for_both(x):
    """The same examples for both members."""
    return x.expand(2, *x.shape)


def both(batch):
    return batch.expand(2, -1)


def loss(network, x, y, **options):
    return F.cross_entropy(network(x), y, **options)


def train(task, network, optimizer, steps=3, objective=loss, before=lambda network: None, after=lambda network: None):
    for _ in range(steps):
        optimizer.zero_grad()
        objective(network, task.x[BATCH], task.y[BATCH]).backward()
        before(network)
        optimizer.step()
        after(network)


def adam(network, task):
    return torch.optim.Adam(network.parameters(), lr=task.learning_rate)


def compared(task, arm, steps=3, **options):
    """Train the arm and plain networks from the same weights, and compare."""
    networks = modules(arm.parameters)
    for _ in range(steps):
        arm.step(both(BATCH))
    for network in networks:
        train(task, network, adam(network, task), steps, **options)
    assert_same(arm.parameters, networks)


def test_label_smoothing_is_torchs(task):
    compared(
        task,
        run(task, "label-smoothing", smoothing=0.2),
        objective=lambda *given: loss(*given, label_smoothing=0.2),
    )


def test_the_confidence_penalty_takes_the_entropy_that_torch_computes_off_the_loss(task):
    def penalized(network, x, y):
        predicted = torch.distributions.Categorical(logits=network(x))
        return loss(network, x, y) - 0.5 * predicted.entropy().mean()

    compared(task, run(task, "confidence-penalty", beta=0.5), objective=penalized)


def test_clipping_is_torchs_for_each_member(task):
    compared(
        task,
        run(task, "gradient-clipping", max_norm=0.01),
        before=lambda network: nn.utils.clip_grad_norm_(network.parameters(), 0.01),
    )


def test_the_l2_penalty_is_the_sum_of_the_squared_weights(task):
    def penalized(network, x, y):
        return loss(network, x, y) + 0.1 * sum((layer.weight**2).sum() for layer in network[::2])

    compared(task, run(task, "l2-penalty", strength=0.1), objective=penalized)


def test_the_l1_penalty_is_a_soft_threshold_after_each_step(task):
    def shrink(network):
        for layer in network[::2]:
            layer.weight.data = regularizers.soft_threshold(layer.weight.data, 0.05 * 0.3)

    arm = run(task, "l1-penalty", strength=0.3)
    compared(task, arm, after=shrink)
    assert (arm.parameters[0] == 0).any()


def test_max_norm_is_torchs_renorm_of_the_weights_into_each_unit_after_each_step(task):
    def bound(network):
        for layer in network[::2]:
            layer.weight.data = torch.renorm(layer.weight.data, 2, 0, 0.6)

    arm = run(task, "max-norm", limit=0.6)
    networks = modules(arm.parameters)
    for _ in range(3):
        arm.step(both(BATCH))
    for network in networks:
        train(task, network, adam(network, task), after=bound)
    for member, network in enumerate(networks):
        for ours, theirs in zip(module(arm.parameters, member).parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)  # renorm itself is within 1e-7 of the norm
    norms = [w.norm(dim=1) for w in arm.model.weights]
    assert all((norm <= 0.6 + 1e-12).all() for norm in norms)
    assert any((norm < 0.59).any() for norm in norms)


def test_a_member_that_diverges_leaves_the_other_within_its_max_norm(task):
    arm = run(task, "max-norm")
    with torch.no_grad():
        arm.parameters[0][0, 0, 0] = float("inf")
    arm.step(both(BATCH))
    assert not arm.parameters[0][0].isfinite().all()
    assert arm.parameters[0][1].isfinite().all()


def test_spectral_norm_scales_a_matrix_to_its_limit_and_leaves_one_within_it(task):
    arm = run(task, "spectral-norm", limit=0.6)
    with torch.no_grad():
        arm.model.weights[0] *= 0.01
    expected = []
    for w in arm.model.weights:
        largest = torch.linalg.matrix_norm(w.detach(), 2)
        expected.append(w.detach() * (0.6 / largest).clamp(max=1)[:, None, None])
    for _ in range(300):
        arm.techniques[0].stepped(arm)
    for w, scaled in zip(arm.model.weights, expected, strict=True):
        torch.testing.assert_close(w, scaled, rtol=1e-3, atol=0)
    assert torch.linalg.matrix_norm(arm.model.weights[1], 2).tolist() == pytest.approx([0.6, 0.6], rel=1e-3)


def test_weight_decay_is_adamws_on_the_weights_alone(task):
    arm = run(task, "weight-decay", weight_decay=2.0)
    networks = modules(arm.parameters)
    for _ in range(3):
        arm.step(both(BATCH))
    for network in networks:
        groups = regularizers.decay_groups(network, 2.0)
        train(task, network, torch.optim.AdamW(groups, lr=task.learning_rate))
    assert_same(arm.parameters, networks)


def test_sam_is_the_librarys_with_each_members_own_norm(task):
    arm = run(task, "sam", rho=0.3)
    networks = modules(arm.parameters)
    for _ in range(3):
        arm.step(both(BATCH))
    for network in networks:
        sam = regularizers.SAM(adam(network, task), rho=0.3)

        def closure(network=network, sam=sam):
            sam.zero_grad()
            value = loss(network, task.x[BATCH], task.y[BATCH])
            value.backward()
            return value

        for _ in range(3):
            sam.step(closure)
    assert_same(arm.parameters, networks)


def test_lookahead_is_the_librarys(task):
    arm = run(task, "lookahead", k=2, alpha=0.5)
    networks = modules(arm.parameters)
    for _ in range(5):
        arm.step(both(BATCH))
    for network in networks:
        train(task, network, regularizers.Lookahead(adam(network, task), k=2, alpha=0.5), steps=5)
    assert_same(arm.parameters, networks)


def test_dp_sgd_is_the_librarys_gradient(task):
    arm = run(task, "dp-sgd", max_norm=0.7, noise=0.0)
    networks = modules(arm.parameters)
    arm.step(both(BATCH))
    for member, network in enumerate(networks):

        def of_one(parameters, x, y, network=network):
            return F.cross_entropy(torch.func.functional_call(network, parameters, x[None]), y[None])

        parameters = dict(network.named_parameters())
        expected = regularizers.dp_sgd(
            of_one, parameters, task.x[BATCH], task.y[BATCH], max_norm=0.7, noise_multiplier=0.0
        )
        for gradient, name in zip(arm.gradients, parameters, strict=True):
            own = gradient[member].squeeze(0) if name.endswith("bias") else gradient[member].T
            torch.testing.assert_close(own, expected[name])


def test_dp_sgds_noise_is_that_multiple_of_the_norm_over_the_batch(task):
    quiet, noisy = (run(task, "dp-sgd", max_norm=0.7, noise=noise) for noise in (0.0, 3.0))
    for arm in (quiet, noisy):
        arm.step(both(BATCH))
    noise = torch.cat([(a - b).flatten() for a, b in zip(noisy.gradients, quiet.gradients, strict=True)])
    # Over n = 424 draws the standard deviation is within 6 sigma, 6/sqrt(2n), but for a chance of 2e-9.
    assert noise.std().item() == pytest.approx(3.0 * 0.7 / 20, rel=6 / (2 * len(noise)) ** 0.5)


def by_hand(arm, member, x, masks, p=0.3):
    """A pass under dropout with the masks of one member."""
    network = module(arm.parameters, member)
    h = x
    for layer in network[:-1:2]:
        h = layer(h).relu()
        h = h * masks.keep(h.shape, p)[0] / (1 - p)
    return network[-1](h)


def test_r_drop_minimizes_the_librarys_loss(task):
    arm = run(task, "r-drop", p=0.3, alpha=2.0)
    x, y = task.x[BATCH], task.y[BATCH]
    for member in range(2):
        masks = RngStreams(3, [member], "r-drop", torch.float64)
        first, second = (by_hand(arm, member, x, masks) for _ in range(2))
        expected = regularizers.r_drop(first, second, y, 2.0)
        inputs, labels = for_both(x), for_both(y)
        fresh = run(task, "r-drop", p=0.3, alpha=2.0)
        outputs = fresh.forward(inputs)
        plain = fresh.losses(outputs, labels).mean(1)
        total = plain + fresh.techniques[0].penalty(fresh, inputs, labels, outputs)
        torch.testing.assert_close(total[member], expected.to(total.dtype), rtol=1e-9, atol=0)


def test_mc_dropout_averages_the_probabilities_of_passes_with_masks_of_their_own(task):
    arm = run(task, "mc-dropout", p=0.3, samples=3)
    predicted = arm.predict(for_both(task.test_x)).exp()
    for member in range(2):
        masks = RngStreams(3, [member], "mc-dropout in prediction", torch.float64)
        passes = [by_hand(arm, member, task.test_x, masks).softmax(-1) for _ in range(3)]
        torch.testing.assert_close(predicted[member], torch.stack(passes).mean(0))


def test_judging_by_mc_dropout_does_not_change_what_is_learned(task):
    judged, left_alone = (run(task, "mc-dropout", samples=2) for _ in range(2))
    judged.scores()
    for arm in (judged, left_alone):
        arm.epoch()
    assert all(map(torch.equal, judged.parameters, left_alone.parameters))


def test_ema_is_torchs(task):
    arm = run(task, "ema", decay=0.7)
    networks = modules(arm.parameters)
    averages = []
    for network in networks:
        average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.7))
        train(task, network, adam(network, task), after=average.update_parameters)
        averages.append(average.module)
    for _ in range(3):
        arm.step(both(BATCH))
    assert_same(arm.techniques[0].evaluated(arm, arm.parameters), averages)
    assert_same(arm.parameters, networks)


def test_swa_is_the_mean_of_the_weights_after_each_epoch_from_its_start_on(task):
    arm = run(task, "swa", start=0.5, steps=12)
    ends = []
    for _ in range(4):
        arm.epoch()
        ends.append([p.detach().clone() for p in arm.parameters])
    for average, *weights in zip(arm.techniques[0].evaluated(arm, arm.parameters), *ends[1:], strict=True):
        torch.testing.assert_close(average, torch.stack(weights).mean(0))


def test_early_stopping_keeps_what_the_librarys_does(task):
    arm = run(task, "early-stopping", patience=2)
    networks = modules(arm.parameters)
    stopping = [regularizers.EarlyStopping(network, patience=2) for network in networks]
    stopped = [False, False]
    for _ in range(12):
        arm.epoch()
        for member, (network, judge) in enumerate(zip(networks, stopping, strict=True)):
            network.load_state_dict(module(arm.parameters, member).state_dict())
            if not stopped[member]:
                held = arm.examples.validation[member]
                x, y = arm.examples.x[held], arm.examples.y[held]
                stopped[member] = judge.step(loss(network, x, y).item())
    for judge in stopping:
        judge.restore()
    assert all(stopped)
    assert_same(arm.techniques[0].evaluated(arm, arm.parameters), networks)


def test_accuracy_under_fgsm_is_that_of_the_librarys_attack(task):
    arm = run(task, "fgsm", epsilon=0.3)
    arm.epoch()
    ((name, measure),) = arm.techniques[0].measures().items()
    assert name == "accuracy under FGSM 0.3, %"
    for member, accuracy in enumerate(measure(arm)):
        network = module(arm.parameters, member)
        attacked = regularizers.fgsm(task.test_x, lambda x, network=network: loss(network, x, task.test_y), 0.3)
        assert accuracy == 100 * (network(attacked).argmax(1) == task.test_y).double().mean()


def test_fgsm_trains_on_half_the_loss_of_the_examples_and_half_of_the_attacked(task):
    def halves(network, x, y):
        attacked = regularizers.fgsm(x, lambda probe: loss(network, probe, y), 0.3)
        return (loss(network, x, y) + loss(network, attacked, y)) / 2

    compared(task, run(task, "fgsm", epsilon=0.3), objective=halves)


def test_adversarial_training_minimizes_the_librarys_loss(task):
    def attacked(network, x, y):
        return regularizers.adversarial_training(x, lambda some: loss(network, some, y), 0.3, clean=0.8)

    compared(task, run(task, "adversarial-training", epsilon=0.3, clean=0.8), objective=attacked)


def test_cutmix_is_the_librarys_on_the_square_images_of_each_member(task):
    wide = replace(task, x=task.x.repeat(1, 2)[:, :9], test_x=task.test_x.repeat(1, 2)[:, :9])
    arm = run(wide, "cutmix", alpha=0.5)
    x, labels = for_both(wide.x[BATCH]), for_both(wide.y[BATCH])
    mixed, targets = arm.techniques[0].batch(arm, x, labels)
    for member in range(2):
        generator = stream(3, member, "cutmix")
        images, expected = regularizers.cutmix(
            x[member].view(-1, 3, 3), labels[member], 0.5, num_classes=4, generator=generator
        )
        assert torch.equal(mixed[member], images.flatten(1))
        torch.testing.assert_close(targets[member], expected)


def test_mixup_mixes_inputs_and_targets_alike_within_each_member(task):
    arm = run(task, "mixup", alpha=1.0)
    x, y = for_both(task.x[BATCH]), for_both(task.y[BATCH])
    mixed_x, mixed_y = arm.techniques[0].batch(arm, x, y)
    for member in range(2):
        draws = stream(3, member, "mixup")
        weight = regularizers.inputs.draw_beta(1.0, x.device, draws)
        order = torch.randperm(20, generator=draws)
        expected = weight * task.x[BATCH] + (1 - weight) * task.x[BATCH][order]
        torch.testing.assert_close(mixed_x[member], expected)
        targets = F.one_hot(task.y[BATCH], 4).double()
        torch.testing.assert_close(mixed_y[member], weight * targets + (1 - weight) * targets[order])


def test_batch_mixing_leaves_the_labels(task):
    arm = run(task, "batch-mixing", p=0.7)
    x, y = for_both(task.x[BATCH]), for_both(task.y[BATCH])
    mixed, labels = arm.techniques[0].batch(arm, x, y)
    order = torch.randperm(20, generator=stream(3, 1, "batch-mixing"))
    torch.testing.assert_close(mixed[1], 0.7 * x[1] + 0.3 * x[1][order])
    assert labels is y


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("annealed-dropout", [0.4, 0.3, 0.2, 0.1]),
        ("early-dropout", [0.4, 0.2, 0.0, 0.0]),
        ("late-dropout", [0.0, 0.0, 0.4, 0.4]),
    ],
)
def test_a_scheduled_rate_follows_the_step(task, name, rates):
    arm = run(task, name, p=0.4, steps=4, **({} if name == "annealed-dropout" else {"part": 0.5}))
    found = []
    for _ in range(4):
        found.append(arm.techniques[0].rate(arm, 0, 2))
        arm.step(both(BATCH))
    assert found == pytest.approx(rates)


def test_layerwise_dropout_has_no_rate_after_the_first_hidden_layer_and_the_whole_after_the_last(task):
    arm = run(task, "layerwise-dropout", p=0.4)
    assert [arm.techniques[0].rate(arm, layer, 3) for layer in range(3)] == pytest.approx([0.0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("name", "values", "variance"),
    [
        ("gaussian-dropout", {"p": 0.2}, 0.25),
        ("activation-noise", {"std": 0.5}, 0.25),
    ],
)
def test_noise_on_activations_has_its_mean_and_variance(task, name, values, variance):
    arm = run(task, name, **values)
    noise = arm.activations(torch.ones(2, 200, 100, dtype=torch.float64), "hidden", 0, 2) - 1
    # 40,000 draws of a Gaussian: 6 sigma on the mean and on the variance.
    assert noise.mean().item() == pytest.approx(0, abs=6 * (variance / 40_000) ** 0.5)
    assert noise.var().item() == pytest.approx(variance, rel=6 * (2 / 40_000) ** 0.5)


@pytest.mark.parametrize(
    ("name", "values", "variance"), [("drop-connect", {"p": 0.2}, 0.25), ("weight-noise", {"std": 0.5}, 0.25)]
)
def test_noise_on_weights_has_its_mean_and_variance_and_leaves_biases(task, name, values, variance):
    arm = run(task, name, **values)
    noise = arm.weight(torch.ones(2, 200, 100, dtype=torch.float64)) - 1
    assert noise.mean().item() == pytest.approx(0, abs=6 * (variance / 40_000) ** 0.5)
    assert noise.var().item() == pytest.approx(variance, rel=0.1)
    assert not arm.eval_forward(for_both(task.test_x)).equal(arm.forward(for_both(task.test_x)))
    biases = deepcopy(arm.parameters[1::2])
    with torch.no_grad():
        for w in arm.parameters[::2]:
            w.zero_()
    if name == "drop-connect":
        assert torch.equal(arm.forward(for_both(task.test_x))[0, 0], biases[-1][0, 0])


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy_bin_by_bin(task):
    arm = run(task)
    for _ in range(3):
        arm.epoch()
    with torch.no_grad():
        logits = arm.eval_forward(arm.examples.test_x)
        found = metrics.calibration_error(logits.double().log_softmax(-1), arm.examples.test_y)
        probabilities = logits.softmax(-1).numpy()
    for member in range(2):
        confidence = probabilities[member].max(1)
        right = probabilities[member].argmax(1) == task.test_y.numpy()
        expected = 0.0
        for low in np.arange(15) / 15:
            within = (confidence > low) & (confidence <= low + 1 / 15 + 1e-15)
            if within.any():
                expected += within.mean() * abs(right[within].mean() - confidence[within].mean())
        assert found[member].item() == pytest.approx(100 * expected)
