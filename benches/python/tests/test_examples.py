"""The examples run, and the README's programs print what it says."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
EXAMPLES = sorted((HERE.parent / "examples").glob("*.py"))
NEEDS = ("jax", "torch")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f.stem)
def test_an_example_runs(example, capsys):
    text = example.read_text()
    assert "# %%" in text
    for module in NEEDS:
        # One that is imported further in is done without.
        if re.search(rf"^import {module}\b", text, re.M):
            pytest.importorskip(module)
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


def programs(file):
    """Each Python block of a page with the block of text that follows, which is its output."""
    blocks = re.findall(r"```(\w*)\n(.*?)```", file.read_text(), re.S)
    following = [*blocks[1:], ("", "")]
    for (kind, text), (next_kind, output) in zip(blocks, following, strict=True):
        if kind == "python":
            yield text, output if next_kind == "text" else None


PAGES = [HERE.parent / "README.md", HERE.parents[2] / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=["package", "top"])
def test_the_programs_of_a_readme_print_what_it_says(page, tmp_path):
    found = list(programs(page))
    assert found
    for text, output in found:
        ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr
        if output is not None:
            assert ran.stdout.rstrip() == output.rstrip()
