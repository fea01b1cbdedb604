"""The tasks: where their examples come from, and that training and test share none."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from regdemo.errors import ArgumentError
from regdemo.lab import data

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "regdemo" / "lab" / "mnist1d"


def test_the_shipped_series_are_those_that_the_package_mnist1d_makes(tmp_path):
    # In a child process: mnist1d reseeds the global generators.
    subprocess.run([sys.executable, ROOT / "scripts" / "make_mnist1d.py", tmp_path / "made.npz"], check=True)
    with np.load(tmp_path / "made.npz") as made, np.load(FOLDER / "mnist1d.npz") as shipped:
        assert made.files == shipped.files
        for name in shipped.files:
            assert made[name].dtype == shipped[name].dtype
            assert np.array_equal(made[name], shipped[name])


def test_the_shipped_file_is_small_and_has_its_licence_beside_it():
    assert (FOLDER / "mnist1d.npz").stat().st_size < 500_000
    assert "Apache License" in (FOLDER / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("name", "train", "test", "features"), [("mnist1d", 4000, 1000, 40), ("digits", 1400, 397, 64)]
)
def test_a_task_has_its_size_and_all_its_classes(name, train, test, features):
    task = data.load(name)
    assert task.x.shape == (train, features)
    assert task.test_x.shape == (test, features)
    assert task.x.dtype == torch.float32
    for labels in (task.y, task.test_y):
        assert labels.unique().tolist() == list(range(task.classes))


def test_the_diabetes_data_are_standardized_by_their_training_part():
    task = data.load("diabetes")
    assert (task.x.shape, task.test_x.shape, task.classes) == ((331, 10), (111, 10), 0)
    torch.testing.assert_close(task.x.mean(0), torch.zeros(10, dtype=torch.float64))
    torch.testing.assert_close(task.x.std(0), torch.ones(10, dtype=torch.float64))
    torch.testing.assert_close(task.y.std().item(), 1.0)
    assert task.scale == pytest.approx(77, abs=5)  # the target's deviation in the data's own unit


def test_label_noise_makes_exactly_its_share_of_the_training_labels_wrong_and_no_test_label():
    task = data.load("digits")
    noisy = task.with_label_noise(0.4)
    assert int((noisy.training_y != task.y).sum()) == 560
    assert noisy.training_y.unique().tolist() == list(range(10))
    assert torch.equal(noisy.training_y, task.with_label_noise(0.4).training_y)
    assert noisy.test_y is task.test_y


def test_fewer_examples_are_the_first_ones_and_held_out_ones_leave_the_training():
    task = data.load("digits").first(100)
    assert torch.equal(task.x, data.load("digits").x[:100])
    held = task.examples([0, 1], 0, hold_out=True)
    assert (held.train.shape, held.validation.shape) == ((2, 80), (2, 20))
    assert torch.equal(torch.cat([held.train, held.validation], 1)[1], torch.arange(100))


@pytest.mark.parametrize("name", data.TASKS)
def test_no_example_is_in_both_training_and_test(name):
    task = data.load(name)
    both = torch.cat([task.x, task.test_x])
    assert len(both.unique(dim=0)) == len(both)
    assert task.shared([0], 0) == 0


def test_an_example_in_both_is_counted():
    x = torch.arange(6.0).reshape(3, 2)
    y = torch.zeros(3, dtype=torch.int64)
    assert data.Task("", "", x, y, torch.cat([x[1:], x + 0.5]), y, classes=1).shared([0], 0) == 2


def test_a_task_is_the_same_each_time():
    first, second = data.load("digits"), data.load("digits")
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.test_y, second.test_y)


def test_an_unknown_task_is_told_which_there_are():
    with pytest.raises(ArgumentError, match="'imagenet': choose mnist1d or digits or diabetes"):
        data.load("imagenet")
