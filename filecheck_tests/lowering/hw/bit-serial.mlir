// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' | filecheck %s
// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv | filecheck %s --check-prefix=SV

// DoReFa's odd weights of two bits, -3, -1, 1, 3: two planes of signs, XNORed with each of
// the two bits of an input, and no multiplier.
// CHECK: hw.module @net_mvu_0_pe_popcount(
// CHECK: hw.instance "popcount_x0_w0" @net_mvu_0_pe_popcount(
// CHECK: hw.instance "popcount_x1_w0" @net_mvu_0_pe_popcount(
// CHECK: hw.instance "popcount_x0_w1" @net_mvu_0_pe_popcount(
// CHECK: hw.instance "popcount_x1_w1" @net_mvu_0_pe_popcount(
// CHECK-NOT: comb.mul
// SV: product_w = ~(activations ^ weights);
func.func @core(%q: !qflow.stream<tensor<1x4xui2> by 4>) -> !qflow.stream<tensor<1x2xsi7> by 1> {
  %w = qnn.constant <tensor<2x4xsi3>, [3, -1, 1, -3, -3, 3, 1, 1]>
  %a = qflow.mvu %q, %w accumulator si7 offset 0 : !qflow.stream<tensor<1x4xui2> by 4>, tensor<2x4xsi3> -> !qflow.stream<tensor<1x2xsi7> by 1>
  func.return %a : !qflow.stream<tensor<1x2xsi7> by 1>
}
