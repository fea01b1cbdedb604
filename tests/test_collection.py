"""What becomes of a file of tests that cannot be imported."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("from regdemo.errors import no_such_name", 2, "1 error"),
        ("import regdemo.no_such_module", 2, "1 error"),
        ("import package_of_no_extra", 5, "1 skipped"),
    ],
)
def test_a_file_is_skipped_for_want_of_a_package_and_is_an_error_otherwise(line, code, said, tmp_path):
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(f"{line}\n\n\ndef test():\n    pass\n")
    config = ["-c", HERE.parent / "pyproject.toml", "--rootdir", tmp_path, "-n", "0", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *config, tmp_path], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == code, done.stdout
    assert said in done.stdout
