"""A CSV as a task: what is read, what is refused, and where it says the fault is."""

import pytest
import torch

from regdemo.errors import ArgumentError, FileError
from regdemo.lab import data
from regdemo.lab.compare import compare

ROWS = [(i * 0.5, 40 - i, ("cat", "dog")[i % 2]) for i in range(40)]


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="pets.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return write


def lines(rows=ROWS, head="size,age,kind", sep=","):
    return [head.replace(",", sep), *(sep.join(map(str, row)) for row in rows)]


def test_the_last_column_is_the_target_and_texts_are_classes(write):
    task = data.load("mnist1d", write(*lines()))
    assert (task.title, task.classes, task.features) == ("pets.csv", 2, ("size", "age"))
    assert (len(task.x), len(task.test_x)) == (30, 10)
    assert "with 2 classes of 'kind' to predict from 2 features" in task.origin


def test_every_row_keeps_its_label(write):
    task = data.load("mnist1d", write(*lines()))
    x, y = torch.cat([task.x, task.test_x]), torch.cat([task.y, task.test_y])
    rows = x[:, 0].argsort()  # by size: cat and dog take turns
    assert y[rows].tolist() == [0, 1] * 20
    assert torch.equal(x[:, 1].argsort(), rows.flip(0))


def test_features_are_standardized_by_the_training_rows(write):
    task = data.load("mnist1d", write(*lines()))
    torch.testing.assert_close(task.x.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(task.x.std(0), torch.ones(2), atol=1e-6, rtol=0)
    assert task.test_x.mean(0).abs().max() > 1e-3


def test_another_column_can_be_the_target_and_many_numbers_are_predicted_as_such(write):
    rows = [(kind == "cat", size, age) for size, age, kind in ROWS]
    path = write("cat,size,age", *(f"{int(cat)},{size},{age}" for cat, size, age in rows))
    task = data.load("mnist1d", path, "age")
    assert (task.classes, task.features) == (0, ("cat", "size"))
    torch.testing.assert_close(task.y.std().item(), 1.0)
    ages = torch.cat([task.y, task.test_y]) * task.scale
    torch.testing.assert_close((ages.max() - ages.min()).item(), 39.0)
    assert "classes" not in task.offers


def test_few_whole_numbers_are_classes_in_their_order(write):
    task = data.load("mnist1d", write("x,y", *(f"{i},{(10, 2)[i % 2]}" for i in range(40))))
    assert task.classes == 2
    biggest = torch.cat([task.x, task.test_x]).argmax()  # row 39, labelled 2, the smaller number
    assert torch.cat([task.y, task.test_y])[biggest] == 0


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_other_delimiters_a_byte_order_mark_and_quotes_are_understood(write, sep):
    path = write(*lines(head='"size",age,"the kind"', sep=sep), encoding="utf-8-sig")
    assert data.load("mnist1d", path, "the kind").features == ("size", "age")


def test_a_file_without_a_head_has_numbered_columns(write):
    task = data.load("mnist1d", write(*lines()[1:]))
    assert (task.features, len(task.x)) == (("column 1", "column 2"), 30)


def test_a_row_that_repeats_anothers_features_is_left_out_so_that_none_is_in_both_parts(write):
    task = data.load("mnist1d", write(*lines([*ROWS, *ROWS[:7]])))
    assert len(task.x) + len(task.test_x) == 40
    assert "7 left out" in task.origin
    assert data.shared_examples(task) == 0


def test_a_constant_feature_is_0(write):
    task = data.load("mnist1d", write("a,b,y", *(f"{i},5,{i % 2}" for i in range(40))))
    assert task.x[:, 1].unique().tolist() == [0]


def test_features_that_differ_by_little_stay_apart(write):
    seconds = 1_700_000_000
    near, far = (
        data.load("mnist1d", write("time,y", *(f"{start + i / 8},{i % 2}" for i in range(40)), name=f"{start}.csv"))
        for start in (0, seconds)
    )
    torch.testing.assert_close(far.x, near.x)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({3: "abc,1,cat"}, r"pets.csv:4: 'size' is 'abc': a feature must be a finite number"),
        ({3: "inf,1,cat"}, r"pets.csv:4: 'size' is 'inf'"),
        ({3: ",1,cat"}, r"pets.csv:4: 'size' has no value: fill it in"),
        ({3: "1,NA,cat"}, r"pets.csv:4: 'age' has no value"),
        ({3: "1,2,"}, r"pets.csv:4: the target 'kind' has no value"),
        ({3: "1,2"}, r"pets.csv:4: there are 2 cells, where the first row has 3"),
        ({3: '1,2,"cat'}, r"pets.csv:\d+: unexpected end"),
        ({i: f"{i},{i},cat" for i in range(1, 41)}, r"pets.csv: 'kind' is 'cat' in every row"),
        ({i: f"{i},{i},cat{i}" for i in range(1, 41)}, r"'kind' has 40 different texts in 40 rows"),
        (dict.fromkeys(range(1, 41), "1,1,cat"), r"features that no earlier row has: 1; at least 20"),
        ({3: "1_0,1,cat"}, r"pets.csv:4: 'size' is '1_0'"),
        ({3: "1e308,1,cat"}, r"'size' has a number too large to be standardized"),
        (
            {i: f"{i},1e30,cat" if i == 3 else f"0,{i},dog" for i in range(1, 41)},
            "so far from the others that it",
        ),
        (
            {i: f"{i},{i},{'inf' if i == 9 else i / 8}" for i in range(1, 41)},
            r"pets.csv:10: 'kind' is 'inf', where",
        ),
        ({i: f"{i},{i},{1e308 * (i % 2) + i / 8}" for i in range(1, 41)}, r"'kind' has a number too large"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_its_line(write, change, said):
    path = write(*(change.get(i, line) for i, line in enumerate(lines())))
    with pytest.raises(FileError, match=said):
        data.load("mnist1d", path)


def test_files_that_are_no_table_are_refused(write, tmp_path):
    with pytest.raises(FileError, match="is empty"):
        data.load("mnist1d", write(""))
    with pytest.raises(FileError, match=r"one column.*, parted by commas, semicolons or tabs"):
        data.load("mnist1d", write("a", "1"))
    with pytest.raises(FileError, match="cannot be read: No such file"):
        data.load("mnist1d", tmp_path / "none.csv")
    with pytest.raises(FileError, match="no text in UTF-8"):
        data.load("mnist1d", write(*lines(head="größe,age,kind"), encoding="latin-1"))
    with pytest.raises(
        ArgumentError, match=r"book.parquet must be a table that ends in .csv or .tsv, or a text in .txt or .md$"
    ):
        data.load("mnist1d", write("a,b", name="book.parquet"))


def test_an_unknown_target_is_told_which_there_are(write):
    with pytest.raises(ArgumentError, match="'species' names 0 columns: choose one of size, age, kind"):
        data.load("mnist1d", write(*lines()), "species")
    with pytest.raises(ArgumentError, match=r"target = 'kind' needs a table: name a file that ends in .csv or .tsv"):
        data.load("mnist1d", None, "kind")


def test_techniques_are_compared_on_a_csv_of_numbers_and_those_for_classes_do_not_fit(write):
    path = write("cat,size,age", *(f"{i % 2},{i * i},{i}" for i in range(40)))
    report = compare("dropout", data=path, seeds=8, epochs=2)
    assert report.holds
    assert report.parameters["data"] == "pets.csv"
    with pytest.raises(ArgumentError, match=r"label-smoothing does not fit the task pets.csv: those that fit are"):
        compare("label-smoothing", data=path, seeds=8, epochs=2)
    with pytest.raises(ArgumentError, match=r"label_noise = 0.1 needs classes, and pets.csv has numbers"):
        compare("dropout", data=path, label_noise=0.1)
