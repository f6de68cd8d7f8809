"""The test bench finds hangs and breaches of the protocol in designs that have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowering.hw.testbench import Port
from lowering.hw.verilate import SimulationError, build

PORTS = """
    input logic aclk, input logic aresetn,
    input logic [7:0] s_axis_tdata, input logic s_axis_tvalid,
    output logic s_axis_tready, input logic s_axis_tlast,
    output logic [7:0] m_axis_tdata, output logic m_axis_tvalid,
    input logic m_axis_tready, output logic m_axis_tlast
"""
# A register between the two streams; what is wrong goes in one of the holes.
REGISTER = """
    logic full; logic [7:0] data; logic last;
    assign s_axis_tready = aresetn && (!full || m_axis_tready);
    always_ff @(posedge aclk) begin
        if (!aresetn) full <= 1'b0;
        else if (s_axis_tready) full <= s_axis_tvalid;
        if (s_axis_tready) begin data <= s_axis_tdata; last <= s_axis_tlast; end
    end
    assign m_axis_tvalid = full;
    assign m_axis_tdata = data;
    assign m_axis_tlast = last;
"""
WRONG = {
    "an offered beat changed": ("= data;", "= m_axis_tready ? data : ~data;"),
    "tlast is missing": ("m_axis_tlast = last;", "m_axis_tlast = 1'b0;"),
    "tlast within a frame": ("m_axis_tlast = last;", "m_axis_tlast = 1'b1;"),
    "no beat moved for 50 cycles; s_axis took": ("= full;", "= 1'b0;"),
}


def simulate(body: str, folder: Path) -> list[int]:
    text = f"module top ({PORTS});\n{body}\nendmodule\n"
    port = {"tdata_bits": 8, "beats_per_frame": 4}
    design = build(
        {"top.sv": text},
        "top",
        [Port("s_axis", **port)],
        [Port("m_axis", **port)],
        folder,
        warnings=False,
    )
    done = design.run(
        [list(range(40))],
        10,
        pause_in_percent=30,
        pause_out_percent=30,
        quiet_cycles=50,
    )
    assert [len(times.last) for times in done.times.values()] == [10, 10]
    return list(done.words["m_axis"])


def test_a_correct_design_passes(tmp_path: Path) -> None:
    assert simulate(REGISTER, tmp_path) == list(range(40))


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_design_is_caught(message: str, tmp_path: Path) -> None:
    old, new = WRONG[message]
    assert old in REGISTER
    with pytest.raises(SimulationError, match=message):
        simulate(REGISTER.replace(old, new), tmp_path)


def test_a_design_with_a_warning_is_refused(tmp_path: Path) -> None:
    text = "module top (input logic aclk); logic [3:0] x; assign x = 5'd9; endmodule\n"
    with pytest.raises(SimulationError, match=r"WIDTH|unused|UNUSED"):
        build({"top.sv": text}, "top", [], [], tmp_path)
