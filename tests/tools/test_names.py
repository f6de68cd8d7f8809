"""Everything that is listed exists, under its name; what is printed reads back."""

from __future__ import annotations

import pytest

from tools.mistakes import UsageError
from tools.pipelines import PIPELINES, find_pipeline
from tools.registry import build_registry
from tools.specs import passes_of, target_of
from tools.universe import CIRCUIT_DIALECTS, DIALECTS, PASSES, TARGETS

REGISTRY = build_registry()


@pytest.mark.parametrize("name", [*DIALECTS, *CIRCUIT_DIALECTS])
def test_dialect(name: str):
    assert REGISTRY.dialects[name]().name == name


@pytest.mark.parametrize("name", PASSES)
def test_pass(name: str):
    assert REGISTRY.passes[name]().name == name
    assert (REGISTRY.passes[name]().__doc__ or "").strip()


@pytest.mark.parametrize("name", TARGETS)
def test_target(name: str):
    assert target_of(name, REGISTRY.targets).name == name


@pytest.mark.parametrize("name", PIPELINES)
def test_printed_pipeline_reads_back(name: str):
    pipeline = PIPELINES[name]
    assert passes_of(str(pipeline), REGISTRY.passes) == pipeline.passes
    assert all(pass_.name in PASSES for pass_ in pipeline.passes)


def test_pipeline_options_reach_their_passes():
    found = find_pipeline("bnn-fpga", {"target-fps": (1000,), "clock_mhz": (50.0,)})
    assert "fold{target_fps=1000 clock_mhz=50.0}" in str(found)
    assert passes_of(str(found), REGISTRY.passes) == found.passes
    unchanged = [p for p in found.passes if p.name != "fold"]
    assert unchanged == [p for p in PIPELINES["bnn-fpga"].passes if p.name != "fold"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("fold{", "malformed specification at column"),
        ("fold{max-cycles=1.5}", "option 'max-cycles': expected integer, got 1.5"),
        ("fold{max-cycles=1,2}", "option 'max-cycles': expected integer, got 1,2"),
        ("fold{folding-file=3}", "option 'folding-file': expected text, got 3"),
        ("fold{maxcycles=1}", "no option 'maxcycles'; did you mean 'max-cycles'?"),
        ("fold,,cse", "malformed specification"),
        ("fold cse", "malformed specification"),
        ("{}", "malformed specification"),
        ("fold{x=%}", "malformed specification"),
    ],
)
def test_bad_specifications(spec: str, says: str):
    with pytest.raises(UsageError) as caught:
        passes_of(spec, REGISTRY.passes)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
