// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' | filecheck %s
// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv | filecheck %s --check-prefix=SV
// RUN: rm -rf %t && qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv -o %t/
// RUN: cat %t/filelist.f %t/net_mvu_fc_weights_rom.mem | filecheck %s --check-prefix=FILES

// A matrix-vector unit of bipolar weights, called after its node: one module for a
// processing element, two instances of it, and one memory for the weights of both.
// CHECK: hw.module @net_mvu_fc_pe_popcount(
// CHECK: hw.module @net_mvu_fc_pe(
// CHECK: hw.module @net_mvu_fc(in %clk: !seq.clock, in %rst: i1, in %in_data: i8,
// CHECK: hw.instance "pe0" @net_mvu_fc_pe(
// CHECK: hw.instance "pe1" @net_mvu_fc_pe(
// CHECK: hw.module @net_top(
// CHECK: hw.instance "mvu_fc" @net_mvu_fc(
// A word has a beat of row 0 in its low bits and one of row 1 above: 0xaba9, 0x1100, ..
// CHECK: qnn.weight @net_mvu_fc_weights_rom = <tensor<8xui16>, [43945, 4352, 8704, 13311, 34884, 39253, 102, 4471]>
// CHECK-NOT: func.func
// CHECK-NOT: qnn.weight @w

// SV-LABEL: module net_mvu_fc_pe_popcount (
// SV: wire [7:0] product_w = ~(activations ^ weights);
// SV-LABEL: module net_mvu_fc_pe (
// SV: accumulator_q <= {{.*}} + (restart ? start : accumulator_q);
// SV-LABEL: // Matrix-vector unit: 4 rows of 32 weights, 2 rows by 8 columns a cycle,
// SV-NEXT: // 8 cycles a vector.
// SV-NEXT: module net_mvu_fc (
// SV: logic [7:0] input_buffer_mem [0:3];
// SV: logic [15:0] weights_rom_mem [0:7];
// SV: $readmemh("net_mvu_fc_weights_rom.mem", weights_rom_mem);
// SV: net_mvu_fc_pe u_pe1 (
// SV: .weights(weights_q[15:8]),
// A threshold is where the sum starts, so that its sign bit is the level.
// SV: assign out_data = {pe1_sum_w[5], pe0_sum_w[5]};
// SV-LABEL: module net_top (
// SV: net_mvu_fc u_mvu_fc (

// FILES: net_mvu_fc_pe_popcount.sv
// FILES-NEXT: net_mvu_fc_pe.sv
// FILES-NEXT: net_mvu_fc.sv
// FILES-NEXT: net_top.sv
// FILES: aba9
// FILES-NEXT: 1100
// FILES: 1177
qnn.weight @w = <tensor<4x32x!qnn.bipolar>, "a90000ffab1122334455667788990011">
func.func @core(%q: !qflow.stream<tensor<1x32x!qnn.bipolar> by 8>) -> !qflow.stream<tensor<1x4x!qnn.bipolar> by 2> {
  %w = qnn.load @w : tensor<4x32x!qnn.bipolar>
  %t = qnn.constant <tensor<4x1xsi7>, [1, 2, 0, -4]>
  %a = qflow.mvu %q, %w thresholds %t : tensor<4x1xsi7> accumulator si7 offset 0 : !qflow.stream<tensor<1x32x!qnn.bipolar> by 8>, tensor<4x32x!qnn.bipolar> -> !qflow.stream<tensor<1x4x!qnn.bipolar> by 2> loc("fc")
  func.return %a : !qflow.stream<tensor<1x4x!qnn.bipolar> by 2>
}
