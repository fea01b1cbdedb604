"""Tables as people have them: what is read, what is named, what is refused with the line."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers import texts
from regdemo.errors import ArgumentError, FileError
from regdemo.lab import table
from regdemo.lab.compare import compare
from regdemo.lab.table import read_table
from regdemo.report import Table

pd = pytest.importorskip("pandas", reason="needs the extra tables: pip install 'regdemo[tables]'")
RANDOM = np.random.default_rng(0)
ROWS = 80
HEIGHT = RANDOM.permutation(np.arange(ROWS) * 0.037 - 1.4).round(3)
WIDTH = RANDOM.permutation(np.arange(ROWS) * 1.5)
LABEL = np.where(RANDOM.random(ROWS) < 0.5, "yes", "no")


@pytest.fixture
def write(tmp_path):
    def wrote(columns, name="t.csv", sep=",", encoding="utf-8", header=True, quote=csv.QUOTE_MINIMAL):
        path = tmp_path / name
        pd.DataFrame(columns).to_csv(path, index=False, sep=sep, encoding=encoding, header=header, quoting=quote)
        return path

    return wrote


def usual(**more):
    return {"height": HEIGHT, **more, "label": LABEL}


def inputs(task):
    return task.examples([0], 0).x


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"sep": ";"}, "semicolons"),
        ({"sep": "\t", "name": "t.tsv"}, "tabs"),
        ({"sep": "|"}, "bars"),
        ({"encoding": "utf-8-sig"}, "a BOM"),
        ({"encoding": "latin-1"}, "Latin-1"),
        ({"quote": csv.QUOTE_ALL}, "quotes"),
    ],
)
def test_it_is_read_whatever_parts_quotes_or_encodes_it(write, options, names):
    path = write({"größe": HEIGHT, "note, long": ["a", "b"] * (ROWS // 2), "label": LABEL}, **options)
    task = read_table(path)
    assert task.features == ("größe", "note, long")
    assert task.labels == ("no", "yes")
    torch.testing.assert_close(inputs(task), inputs(read_table(write(usual(note=["a", "b"] * (ROWS // 2)), "u.csv"))))


def test_decimal_commas_are_numbers(write):
    text = [f"{value:.3f}".replace(".", ",") for value in HEIGHT]
    assert torch.equal(
        inputs(read_table(write(usual() | {"height": text}, sep=";"))), inputs(read_table(write(usual())))
    )


def test_numbers_as_names_of_columns_are_a_header_and_rows_without_one_are_all_data(write, tmp_path):
    data = {"2019": HEIGHT, "2020": HEIGHT**2, "2021": HEIGHT**3, "label": LABEL}
    assert read_table(write(data)).features == ("2019", "2020", "2021")
    path = write(data, "bare.csv", header=False)
    assert read_table(path).features == ("column 1", "column 2", "column 3")
    assert read_table(path).split.n == ROWS


def test_categories_are_one_hot_and_those_that_training_lacks_are_zeros(write):
    colors = ["red", "green"] * 39 + ["blue", "blue"]
    task = read_table(write(usual(color=colors)))
    assert task.inputs == 1 + 3
    for member in range(8):
        train, _ = task.split.rows(member, 0)
        x = task.fit(train)[0]
        if not {78, 79} & set(train.tolist()):
            assert x[78, 1:].tolist() == [0, 0, 0]
        assert x[0, 1:].sum() == 1


def test_gaps_are_filled_with_the_training_median_and_marked(write):
    height = HEIGHT.copy()
    height[[3, 50]] = np.nan
    task = read_table(write({"width": WIDTH, "height": height, "label": LABEL}))
    assert task.inputs == 3
    train, _ = task.split.rows(0, 0)
    x = task.fit(train)[0]
    own = height[train.numpy()]
    median = np.nanmedian(own)
    own = np.where(np.isnan(own), median, own)
    assert x[3, 1].item() == pytest.approx((median - own.mean()) / own.std(), abs=1e-5)
    assert set(np.flatnonzero(x[:, 2])) <= {3, 50}
    assert any("filled with the training median" in note for note in task.notes)


@pytest.mark.parametrize("mark", ["", "?", "NA", "n/a", "null", "-"])
def test_the_usual_marks_of_a_gap_are_gaps(write, mark):
    text = [mark if i in (3, 50) else f"{v:g}" for i, v in enumerate(HEIGHT)]
    assert np.isnan(read_table(write({"width": WIDTH, "height": text, "label": LABEL})).fit.numbers).sum() == 2


def test_dates_are_days_and_booleans_categories(write):
    days = pd.date_range("2024-01-01", periods=ROWS).strftime("%d.%m.%Y")
    task = read_table(write({"when": days[::-1], "known": [True, False] * (ROWS // 2), "label": LABEL}))
    assert np.diff(task.fit.numbers[:, 0]).tolist() == [-1.0] * (ROWS - 1)
    assert task.fit.categories.shape[1] == 1
    assert any("Read as dates" in note for note in task.notes)


def test_constants_and_columns_that_number_the_rows_are_named_and_left_out(write):
    task = read_table(write({"id": range(1, ROWS + 1), "who": [f"p{i}" for i in range(ROWS)], "one": 1} | usual()))
    assert task.features == ("height",)
    assert "Left out, constant: 'one'." in task.notes
    assert "Left out, different in (nearly) every row, as an id is: 'id', 'who'." in task.notes


def test_a_copy_of_the_target_is_refused_with_the_option_that_leaves_it_out(write):
    path = write({"copy": np.where(LABEL == "yes", 1, 2)} | usual())
    with pytest.raises(FileError, match=r"'copy' tells 'label' in every row.*a leak; leave it out with --drop 'copy'"):
        read_table(path)
    assert read_table(path, drop=["copy"]).features == ("height",)


def test_few_whole_numbers_are_classes_unless_a_regression_is_asked_for(write):
    path = write({"height": HEIGHT, "stars": RANDOM.integers(1, 6, ROWS)})
    assert read_table(path).labels == ("1", "2", "3", "4", "5")
    task = read_table(path, regression=True)
    assert (task.classes, task.offers >= {"classes"}) == (0, False)


def test_a_regression_is_standardized_by_each_splits_training_rows(write):
    price = 1000 * HEIGHT**2 + 5
    task = read_table(write({"height": HEIGHT, "price": price}))
    examples = task.examples([0, 1], 0)
    for member in range(2):
        train, _ = task.split.rows(member, 0)
        assert examples.scale[member].item() == pytest.approx(price[train].std())
        assert examples.y[examples.train[member]].mean().item() == pytest.approx(0, abs=1e-5)


def test_groups_are_kept_together_and_are_no_feature(write):
    patients = [f"p{i % 9}" for i in range(ROWS)]
    task = read_table(write(usual(patient=patients)), group="patient")
    assert task.features == ("height",)
    train, test = (set(np.array(patients)[rows]) for rows in task.split.rows(0, 0))
    assert not train & test


def test_rows_that_repeat_and_rows_without_a_target_are_left_out_and_counted(write):
    label = LABEL.astype(object)
    label[5] = None
    task = read_table(write({"height": [*HEIGHT[:-1], HEIGHT[0]], "label": label}))
    assert task.split.n == ROWS - 2
    assert task.notes == (
        "1 rows without a 'label' left out.",
        "1 rows left out that repeat the features of another.",
    )


def test_a_parquet_file_is_a_table_too(tmp_path):
    pd.DataFrame(usual()).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").features == ("height",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a\n" + "1\n" * 30, "there is one column"),
        ("a,b\n1,x\n2,y,3\n", r":3: there are 3 cells, where the first row has 2; parted by commas"),
        ('a,b\n1,"x\n', r":2: unexpected end of data"),
        ("a,a,b\n1,2,x\n", r":1: two columns are named 'a'"),
        ("a,b\n1,x\n2,y\n", "there are 2 rows with a target"),
        ("a,b\n" + "".join(f"{i},x\n" for i in range(30)), "'b' is 'x' in every row: there is nothing to learn"),
        ("a,b\n" + "".join(f"{i * i},n{i}\n" for i in range(30)), "that is a name, no class"),
        ("a,b\n" + "".join(f"{i * i},{i + 0.5 if i else 'none yet'}\n" for i in range(30)), "one is 'none yet'"),
        ("a,b\n" + "".join(f"{i * i},2024-01-{i + 1:02}\n" for i in range(30)), "is a date"),
        ("a,b\n" + "".join(f"1,{'xy'[i % 2]}\n" for i in range(30)), "there are 1 rows with a target"),
        ("a,b\n" + "".join(f"{i * i},{i / 2 if i else 'inf'}\n" for i in range(30)), "has an infinite number"),
        ("a\0b", "it has zero bytes"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line_with_the_file(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(FileError, match=said) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "colour"}, "0 columns named 'colour': choose one of height, label"),
        ({"drop": ["x"]}, "0 columns named 'x'"),
        ({"group": "x"}, "0 columns named 'x'"),
        ({"target": "label", "drop": ["label"]}, "target = 'label' can't be dropped"),
        ({"folds": 99}, "there are 80 rows, and a split needs at least 99"),
    ],
)
def test_an_option_that_names_nothing_is_told_what_there_is(write, options, said):
    with pytest.raises(ArgumentError, match=said):
        read_table(write(usual()), **options)


def test_a_table_too_wide_for_memory_is_refused_before_it_is_made(write, monkeypatch):
    monkeypatch.setattr(table, "MOST_BYTES", 100)
    with pytest.raises(FileError, match="leave columns out with --drop"):
        read_table(write(usual()))


def test_without_pandas_the_extra_is_named(write):
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "import importlib.util; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'pandas' else found(name, *a)\n"
        "from regdemo import lazy; lazy.install()\n"
        "from regdemo.cli import app\n"
        f"sys.exit(app.run(['compare', 'dropout', '--data', {str(write(usual()))!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("needs the package pandas: pip install 'regdemo[tables]'\n")


def test_batches_and_epochs_follow_the_number_of_rows(write):
    few = read_table(write(usual()))
    assert (few.batch_size, few.epochs) == (16, 40)
    many = read_table(write({"height": np.arange(4000) ** 1.5, "label": np.arange(4000) % 3}))
    assert (many.batch_size, many.epochs) == (75, 40)


def test_unequal_classes_have_the_metrics_that_accuracy_hides_and_one_is_primary(write):
    rare = np.where(np.arange(ROWS) % 10 == 0, "ill", "well")
    path = write({"height": HEIGHT, "width": HEIGHT**2, "label": rare})
    report = compare("dropout", data=path, seeds=8, epochs=1, metric="auc", width=8)
    assert report.results.metrics[0] == "AUC, %"
    assert "The primary metric is AUC." in next(b for b in report.blocks if isinstance(b, Table)).note
    assert {"balanced accuracy, %", "F1, %", "Brier score"} <= set(report.results.metrics)
    assert "Left out" not in texts(report)
