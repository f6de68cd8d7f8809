// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' | filecheck %s
// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv | filecheck %s --check-prefix=SV

// Of eight blocks of 2 x 2 weights three are not all 0: row 0 has one that the first beat
// of rows needs, rows 2 and 3 have two. A weight stands as (nonzero, positive).
// CHECK: hw.module @net_mvu_fc_buffer(
// CHECK: hw.module @net_mvu_fc_products(
// CHECK: hw.module @net_mvu_fc(
// CHECK-NOT: func.func

// Two halves of four slices; the last one of a row is marked by the bit above it.
// SV-LABEL: // Room for two pixels of 4 beats; of each 3 slices are read.
// SV-NEXT: module net_mvu_fc_buffer (
// SV: output wire [6:0] out_data
// SV: logic [5:0] memory_mem [0:7];
// SV-LABEL: module net_mvu_fc_products (
// SV-LABEL: // Matrix-vector unit: 4 rows of 8 weights, 2 rows by 2 columns a cycle;
// SV-NEXT: // zeros skipped: 4 cycles a pixel instead of 8.
// SV-NEXT: module net_mvu_fc (
func.func @core(%q: !qflow.stream<tensor<1x8xui3> by 2>) -> !qflow.stream<tensor<1x4xsi7> by 2> {
  %w = qnn.constant <tensor<4x8x!qnn.ternary>, [0, 0, 1, -1, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,  1, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, -1]>
  %a = qflow.mvu %q, %w zero_skip 2 accumulator si7 offset 0 : !qflow.stream<tensor<1x8xui3> by 2>, tensor<4x8x!qnn.ternary> -> !qflow.stream<tensor<1x4xsi7> by 2> loc("fc")
  func.return %a : !qflow.stream<tensor<1x4xsi7> by 2>
}
