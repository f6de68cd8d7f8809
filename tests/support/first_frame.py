"""What the first frame of a simulation took."""

from __future__ import annotations

from lowering.hw.engine import RtlEngine
from qdialect.timing import FrameTimes


def first_frame_times(engine: RtlEngine) -> FrameTimes:
    """Cycles of the first frame of the last run, to its last output beat."""
    assert engine.run is not None
    times = engine.run.times
    inputs = [t for name, t in times.items() if name.startswith("s_axis")]
    end = max(t.last[0] for name, t in times.items() if name.startswith("m_axis"))
    first, last = min(t.first[0] for t in inputs), max(t.last[0] for t in inputs)
    return FrameTimes(end - first, end - last)
