"""The seeded bugs still apply to the code as it is, and each names a test that is there."""

from __future__ import annotations

import ast

import pytest

from tests.campaigns.seeds import ROOT, SEEDS, Seed, applied


@pytest.mark.parametrize("seed", SEEDS, ids=[seed.name for seed in SEEDS])
def test_a_seeded_bug_applies_to_one_place_and_names_a_test_that_is_there(seed: Seed) -> None:
    bad = applied(seed, ROOT)
    file, _, test = seed.test.partition("::")

    assert bad is not None, f"{seed.file} does not have the old text exactly once: {seed.old!r}"
    assert bad != (ROOT / seed.file).read_text()
    ast.parse(bad)
    assert (ROOT / file).is_file()
    assert not test or f"def {test.partition('[')[0]}(" in (ROOT / file).read_text()


def test_the_seeded_bugs_are_many_and_of_different_names() -> None:
    assert len({seed.name for seed in SEEDS}) == len(SEEDS) >= 12
