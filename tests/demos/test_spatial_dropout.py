import pytest
import torch
import torch.nn.functional as F

from helpers import blocks_of
from regdemo import regularizers
from regdemo.demos import spatial_dropout as demo
from regdemo.demos.spatial_dropout import spatial_dropout
from regdemo.report import Table


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sizes", [(2, 1, 2), (3, 1, 3), (5, 7, 9), (64, 32, 12)])
@pytest.mark.parametrize("p", [0.0, 5e-324, 1e-6, 0.2, 0.5, 0.8, 0.999, 1 - 1e-9, 1 - 2**-53])
def test_every_claim_holds_at_every_rate_and_size(p, sizes, seed):
    # Each statistical claim is missed by chance once in 10^9.
    examples, channels, length = sizes
    report = spatial_dropout(p=p, examples=examples, channels=channels, length=length, seed=seed)
    assert [claim for claim in report.claims if not claim.holds] == []


def by_element(x, p, *, training=True, generator=None, mask=None):
    return regularizers.dropout(x, p, training=training, generator=generator)


def without_rescale(x, p, *, training=True, generator=None, mask=None):
    return x * regularizers.keep_mask((*x.shape[:2], 1), p, generator=generator) if training else x


def same_channels_in_every_example(x, p, *, training=True, generator=None, mask=None):
    kept = regularizers.keep_mask((1, x.shape[1], 1), p, generator=generator)
    return x * kept / (1 - p) if training else x


def by_position(x, p, *, training=True, generator=None, mask=None):
    kept = regularizers.keep_mask((x.shape[0], 1, x.shape[2]), p, generator=generator)
    return x * kept / (1 - p) if training else x


def dropping_in_eval(x, p, *, training=True, generator=None, mask=None):
    return x * regularizers.keep_mask((*x.shape[:2], 1), p, generator=generator) / (1 - p)


@pytest.mark.parametrize(
    "wrong", [by_element, without_rescale, same_channels_in_every_example, by_position, dropping_in_eval]
)
@pytest.mark.parametrize("p", [0.2, 0.4])
def test_a_wrong_spatial_dropout_fails_a_claim(monkeypatch, wrong, p):
    monkeypatch.setattr(regularizers, "spatial_dropout", wrong)
    assert not spatial_dropout(p=p).holds


def test_torchs_dropout1d_in_its_place_passes(monkeypatch):
    def by_torch(x, p, *, training=True, generator=None, mask=None):
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(torch.randint(2**31, (), generator=generator)))
            return F.dropout1d(x, p, training)

    monkeypatch.setattr(regularizers, "spatial_dropout", by_torch)
    assert spatial_dropout(p=0.3).holds


def test_a_line_restores_single_elements_and_no_whole_channel():
    restored = next(
        block for block in blocks_of(spatial_dropout()) if isinstance(block, Table) and "line" in block.title
    )
    (_, _, after_elements), (_, _, after_channels) = restored.rows
    assert after_elements < 0.1
    assert after_channels == 1.0


def test_where_nothing_is_dropped_there_is_no_error_to_speak_of():
    restored = next(
        block for block in blocks_of(spatial_dropout(p=0.0)) if isinstance(block, Table) and "line" in block.title
    )
    assert [row[1:] for row in restored.rows] == [[0.0, "nothing lost"], [0.0, "nothing lost"]]


def test_a_line_through_two_kept_neighbours_gives_their_average():
    wave = demo._waves(1)
    dropped = torch.zeros(wave.shape, dtype=torch.bool)
    dropped[0, 5] = True
    guess = (wave[0, 4] + wave[0, 6]) / 2
    assert demo._error_of_a_line(wave, dropped) == pytest.approx(abs(guess / wave[0, 5] - 1).item(), rel=1e-9)


def test_pairs_share_no_position_and_leave_out_an_odd_one():
    dropped = torch.tensor([[True, True, False, True, True]])
    assert demo._pairs(dropped) == 0.5


def test_a_channel_is_in_part_when_some_positions_are_dropped_and_some_kept():
    dropped = torch.tensor([[True, True], [True, False], [False, False], [False, True]])
    assert demo._in_part(dropped) == 0.5
