// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' | filecheck %s
// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv | filecheck %s --check-prefix=SV

// Five levels, -2 .. 2, times 4-bit inputs: a shift that is selected, zeroed or negated,
// and no multiplier. A weight is stored in 3 bits: select, nonzero, negative.
// CHECK: hw.module @net_mvu_0_pe_products(in %clk: !seq.clock, in %advance: i1, in %activations: i8, in %weights: i6,
// CHECK-NOT: comb.mul
// CHECK: hw.module @net_mvu_0_pe(
// SV: v0_w = {5{weights[1]}} & (
func.func @core(%q: !qflow.stream<tensor<1x4xui4> by 2>) -> !qflow.stream<tensor<1x2xsi8> by 1> {
  %w = qnn.constant <tensor<2x4xsi3>, [2, -1, 0, 1, -2, 2, 1, 0]>
  %a = qflow.mvu %q, %w accumulator si8 offset 0 : !qflow.stream<tensor<1x4xui4> by 2>, tensor<2x4xsi3> -> !qflow.stream<tensor<1x2xsi8> by 1>
  func.return %a : !qflow.stream<tensor<1x2xsi8> by 1>
}
