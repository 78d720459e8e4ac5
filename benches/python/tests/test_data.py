"""Files and sweeps, as the program reads them."""

import bilevel as bl
import numpy as np
import pytest


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, 3))
    t = (a[:, 0] > 0).astype(int)
    file = tmp_path / "table.csv"
    rows = [",".join([*map(repr, map(float, r)), str(c)]) for r, c in zip(a, t, strict=True)]
    file.write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return file, a, t


def test_a_file_is_split_as_the_program_splits_it(table):
    file, a, t = table
    splits = bl.load(file, seed=3, labels="signs")
    parts = [p for p in (splits.train, splits.valid, splits.test) if p is not None]
    assert sum(map(len, parts)) == len(a)
    found = np.vstack([p.features for p in parts])
    assert {tuple(r) for r in found} == {tuple(r) for r in a}
    label = {tuple(r): 2.0 * c - 1.0 for r, c in zip(a, t, strict=True)}
    assert all(label[tuple(r)] == c for p in parts for r, c in zip(*p, strict=True))
    assert "table.csv" in splits.read or "60" in splits.read
    again = bl.load(file, seed=3, labels="signs")
    np.testing.assert_array_equal(again.train.features, splits.train.features)


def test_a_problem_is_made_of_a_file(table):
    file, _, _ = table
    p = bl.problem("logistic", data=file, standardise=True)
    assert p.dim_y == 3 and p.read is not None and p.hypergradient("aid-cg").ok


def test_an_own_objective_is_written_on_a_file(table):
    file, _, _ = table
    splits = bl.load(file, labels="signs")
    (a, t), (av, tv) = splits.train, splits.valid
    p = bl.Problem(
        lambda x, y: bl.logistic_loss(av, tv, y),
        lambda x, y: bl.logistic_loss(a, t, y) + 0.5 * np.exp(x) @ y**2,
        x=np.full(3, -2.0), y=3,
    )
    assert p.compare(["exact", "aid-cg"])[1]["error_vs_exact"] < 1e-8


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda f: bl.load(f, labels="colours"), bl.ConfigError),
        (lambda f: bl.load(f, colour="red"), bl.ConfigError),
        (lambda f: bl.load(f, first_index=7), bl.ConfigError),
        (lambda f: bl.load(f.with_name("none.csv")), bl.DataError),
        (lambda f: bl.problem("ridge", data=f, header="maybe"), bl.ConfigError),
        (lambda f: bl.sweep(f, f.with_name("out")), bl.ConfigError),
    ],
)
def test_a_file_or_a_setting_that_is_none_is_refused_in_a_line(table, call, kind):
    with pytest.raises(kind) as error:
        call(table[0])
    assert "\n" not in str(error.value)


def test_a_sweep_runs_each_configuration_with_each_seed(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        'seeds = [0, 1]\n[base]\nproblem = "ridge"\niterations = 3\n[grid]\nmethod = ["aid-cg", "itd"]\n'
    )
    records = bl.sweep(file, tmp_path / "out", jobs=2)
    assert len(records) == 2
    assert (tmp_path / "out").is_dir()
    assert bl.sweep(file, tmp_path / "out") == records
