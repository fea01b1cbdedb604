"""`regdemo finetune` at the terminal: its output, its files, its bad input, and Ctrl-C."""

import inspect
import json
import subprocess
import sys
from functools import partial

import pytest

from regdemo.cli import app
from regdemo.cli.finetune import finetune
from regdemo.lab import finetune as lab
from regdemo.lab.text import TextTask

QUICK = ["finetune", "dropout", "mixout", "--p", "0.3", "--epochs", "2"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A GPT of width 8, pretrained once over 40 stretches, but for the child processes."""
    for name, value in {"PRETRAINED": 40, "PRETRAINING_EPOCHS": 1, "FINETUNED": 20, "TESTED": 20}.items():
        monkeypatch.setattr(lab, name, value)
    monkeypatch.setattr(lab, "TextTask", partial(TextTask, width=8, heads=2))


def test_it_prints_verdicts_tables_what_it_began_with_and_claims(capsys):
    assert app.run(QUICK) == 0
    out, err = capsys.readouterr()
    text = " ".join(out.split())
    for part in (
        "Fine-tuning on a later part of Python's help texts, 8 paired seeds",
        "Differences from none",
        "mixout 0.3",
        "test loss, nats",
        "Before fine-tuning the GPT has a test loss of",
        "3 of 3 claims hold",
    ):
        assert part in text
    assert err == ""


def test_in_a_pipe_it_is_plain_text_of_at_most_80_columns_and_nothing_else():
    program = (
        "import sys\n"
        "from functools import partial\n"
        "from regdemo.cli import app\n"
        "from regdemo.lab import finetune as lab\n"
        "lab.PRETRAINED, lab.PRETRAINING_EPOCHS, lab.FINETUNED, lab.TESTED = 40, 1, 20, 20\n"
        "lab.TextTask = partial(lab.TextTask, width=8, heads=2)\n"
        f"sys.exit(app.run({QUICK}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.startswith("Fine-tuning on a later part of Python's help texts, 8 paired seeds\n")


def test_as_json_it_is_a_report(capsys):
    assert app.run([*QUICK, "--seeds", "9", "--seed", "3", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["parameters"] == {"technique": "dropout, mixout", "p": 0.3, "seeds": 9, "epochs": 2, "seed": 3}
    assert report["cards"]


def test_it_is_saved_as_a_page_that_holds_its_tables_and_curves(capsys, tmp_path):
    path = tmp_path / "report.html"
    assert app.run([*QUICK, "--save", str(path)]) == 0
    page = path.read_text()
    assert page.startswith("<!DOCTYPE html>")
    for part in ("<table", "<svg", "mixout 0.3", "Before fine-tuning"):
        assert part in page
    assert "Fine-tuning on" in capsys.readouterr().out


def test_the_users_text_is_named(capsys, tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("".join(f"{i} apples and {i * i % 97} pears, " for i in range(200)))
    assert app.run([*QUICK, "--data", str(path)]) == 0
    assert capsys.readouterr().out.startswith("Fine-tuning on own.txt, 8 paired seeds\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cutout"], 2, "'cutout' cannot be compared: choose dropout,"),
        (["mixup"], 2, "mixup does not fit the task fine-tuning: those that fit are dropout,"),
        (["dropout", "--p", "1"], 2, "p = 1.0 is not allowed"),
        (["dropout", "--p", "0.1", "0.1"], 2, "p has the same value twice"),
        (["dropout", "--alpha", "5"], 2, "alpha isn't a parameter of dropout: it belongs to"),
        (["dropout", "--seeds", "3"], 2, "seeds = 3 is not allowed"),
        (["dropout", "--epochs", "0"], 2, "epochs = 0 is not allowed"),
        (["dropout", "--save", "report.docx"], 2, "report.docx"),
        (["--data", "short.txt"], 3, "short.txt has 5 characters: the text must have at least 1,320"),
        (["--data", "bytes.txt"], 3, "bytes.txt isn't a text in UTF-8"),
        (["--data", "nowhere.txt"], 3, "nowhere.txt cannot be read: No such file or directory"),
        (["--data", "same.txt"], 3, "same.txt ends in what it began with"),
    ],
)
def test_bad_input_is_one_line_that_says_what_is_wrong(arguments, code, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("short")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00" * 4000)
    (tmp_path / "same.txt").write_text("x" * 5000)
    assert app.run(["finetune", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_folder_that_holds_no_model_is_refused_in_one_line(capsys, tmp_path):
    pytest.importorskip("transformers")
    assert app.run(["finetune", "dropout", "--model", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"regdemo: model = '{tmp_path}' cannot be loaded from this machine (")
    assert err.endswith("or a model in Hugging Face's cache\n")
    assert err.count("\n") == 1


def stop_at(monkeypatch, share):
    """Press Ctrl-C once this share of the training is done, the pretraining included."""
    run = lab.finetune

    def stopped(*args, progress, **options):
        def press(done, total):
            progress(done, total)
            if done >= share * total:
                raise KeyboardInterrupt

        return run(*args, progress=press, **options)

    monkeypatch.setattr(lab, "finetune", stopped)


def test_ctrl_c_shows_what_is_finished_and_exits_130(monkeypatch, capsys):
    stop_at(monkeypatch, 0.2)  # in the second epoch of nine
    assert app.run([*QUICK[:-1], "9"]) == 130
    out, err = capsys.readouterr()
    assert "8 paired seeds (stopped at epoch 1 of 9)" in " ".join(out.split())
    assert "test loss, nats" in out
    assert err == ""


def test_ctrl_c_while_pretraining_is_one_line_and_exit_130(monkeypatch, capsys):
    stop_at(monkeypatch, 0.0)
    assert app.run(QUICK) == 130
    assert capsys.readouterr() == ("", "regdemo: stopped before there was anything to show\n")


def test_the_defaults_are_those_of_the_library():
    library, ours = (inspect.signature(function).parameters for function in (lab.finetune, finetune))
    names = ["data", "model", "seeds", "epochs", "seed"]
    assert [ours[name].default for name in names] == [library[name].default for name in names]
