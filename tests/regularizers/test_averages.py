"""SWA and EMA: the averages, and the mistakes that are prevented."""

import copy

import pytest
import torch
from torch import nn

from helpers import draw
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import EMA, SWA, Dropout


def model_of(weight):
    model = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(weight)
    return model


PATH = [torch.tensor([[1.0, -2.0]]), torch.tensor([[3.0, 0.0]]), torch.tensor([[8.0, 5.0]])]


@pytest.fixture(autouse=True)
def global_generator_as_found():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def averaged(average, model):
    for weight in PATH:
        with torch.no_grad():
            model.weight.copy_(weight)
        average.update_parameters(model)
    return average.module.weight


def test_swa_is_the_equal_mean_of_what_it_was_given():
    model = model_of(torch.full((1, 2), 100.0))  # what it was made with does not count
    torch.testing.assert_close(averaged(SWA(model), model), sum(PATH).double() / 3)


def test_ema_begins_with_the_first_weights_and_decays():
    model = model_of(torch.full((1, 2), 100.0))
    expected = 0.9 * (0.9 * PATH[0] + 0.1 * PATH[1]) + 0.1 * PATH[2]
    torch.testing.assert_close(averaged(EMA(model, 0.9), model), expected.double())


def test_emas_decay_is_one_in_a_thousand_unless_told():
    model = model_of(torch.zeros(1, 2))
    first, second = (averaged(EMA(model, *decay), model).clone() for decay in ((), (0.999,)))
    assert torch.equal(first, second)


def normed():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), Dropout(0.5), nn.BatchNorm1d(4)).double()


def trained(swa, model):
    for step in range(3):
        nn.init.constant_(model[0].weight, float(step + 1))
        swa.update_parameters(model)


def test_a_mean_with_old_batch_norm_statistics_is_not_evaluated():
    model = normed()
    swa = SWA(model).eval()
    swa(draw(5, 3))  # a copy of the model
    trained(swa, model)
    with pytest.raises(ArgumentError, match=r"^batch norm's statistics are not those .*: call update_batch_norm"):
        swa(draw(5, 3))
    swa.update_batch_norm([draw(50, 3)])
    swa(draw(5, 3))
    trained(swa, model)
    with pytest.raises(ArgumentError, match="update_batch_norm"):
        swa(draw(5, 3))


def test_batch_norms_statistics_are_those_of_the_mean_without_dropout():
    model, x = normed(), draw(500, 3)
    swa = SWA(model)
    trained(swa, model)
    swa.update_batch_norm([(part, None) for part in x.split(250)])
    hidden = swa.module[0](x)
    torch.testing.assert_close(swa.module[3].running_mean, hidden.mean(0))
    parts = torch.stack([part.var(0) for part in hidden.split(250)]).mean(0)
    torch.testing.assert_close(swa.module[3].running_var, parts)


def test_the_rates_and_the_mode_are_afterwards_what_they_were():
    model = normed()
    swa = SWA(model).eval()
    trained(swa, model)
    swa.update_batch_norm([draw(50, 3)])
    assert [swa.module[1].p, swa.module[2].p, swa.training] == [0.5, 0.5, False]


def test_the_rates_are_put_back_when_the_data_fail():
    swa = SWA(normed())
    with pytest.raises(TypeError):
        swa.update_batch_norm(None)
    assert swa.module[1].p == 0.5


def test_a_model_without_batch_norm_is_evaluated_at_once():
    model = model_of(PATH[0])
    swa = SWA(model).eval()
    averaged(swa, model)
    assert swa(torch.ones(1, 2, dtype=torch.float64)).item() == pytest.approx(5)


def test_emas_buffers_are_the_models():
    model = normed()
    ema = EMA(model).eval()
    model.train()(draw(20, 3))
    ema.update_parameters(model)
    assert torch.equal(ema.module[3].running_mean, model[3].running_mean)
    ema(draw(5, 3))


@pytest.mark.parametrize("make", [SWA, EMA])
def test_it_goes_on_from_its_state_dict(make):
    model = model_of(PATH[0])
    average = make(model)
    averaged(average, model)
    other = make(model)
    other.load_state_dict(copy.deepcopy(average.state_dict()))
    averaged(average, model)
    assert torch.equal(averaged(other, model), averaged(copy.deepcopy(average), model)) is False  # one path ahead
    other.load_state_dict(average.state_dict())
    assert torch.equal(other.module.weight, average.module.weight)


@pytest.mark.parametrize("decay", [1.0, -0.1, float("nan"), "0.9"])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ProbabilityError, match=r"^decay = "):
        EMA(nn.Linear(1, 1), decay)
