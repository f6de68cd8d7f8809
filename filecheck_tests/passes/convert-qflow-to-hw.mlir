// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' | filecheck %s
// RUN: qopt %s -p 'convert-qflow-to-hw{prefix="9x"}' --verify-diagnostics | filecheck %s --check-prefix=REFUSED

// REFUSED: convert-qflow-to-hw: the prefix must be a letter and then letters, digits or _

// CHECK-LABEL: func.func @main
// CHECK: qnn.call @net_top(%q)
func.func @main(%q: tensor<1x4xsi3>) -> tensor<1x2xsi6> {
  %r = qnn.call @core(%q) : (tensor<1x4xsi3>) -> tensor<1x2xsi6>
  func.return %r : tensor<1x2xsi6>
}
// A unit is a module; its ports are a stream in and a stream out.
// CHECK: hw.module @net_mvu_0(in %clk: !seq.clock, in %rst: i1, in %in_data: i6, in %in_valid: i1, in %out_ready: i1, out in_ready: i1, out out_data: i6, out out_valid: i1)
// The top speaks AXI4-Stream, in whole bytes.
// CHECK: hw.module @net_top(in %aclk: !seq.clock, in %aresetn: i1, in %s_axis_tdata: i8, in %s_axis_tvalid: i1, in %s_axis_tlast: i1, in %m_axis_tready: i1, out s_axis_tready: i1, out m_axis_tdata: i8, out m_axis_tvalid: i1, out m_axis_tlast: i1)
// CHECK-SAME: qflow.inputs = [!qflow.stream<tensor<1x4xsi3> by 2>], qflow.outputs = [!qflow.stream<tensor<1x2xsi6> by 1>]
// CHECK: hw.instance "mvu_0" @net_mvu_0
// CHECK-NOT: func.func @core
func.func @core(%q: !qflow.stream<tensor<1x4xsi3> by 2>) -> !qflow.stream<tensor<1x2xsi6> by 1> {
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, -1, 1, -1, 1, 1, -1, -1]>
  %a = qflow.mvu %q, %w accumulator si6 offset 0 : !qflow.stream<tensor<1x4xsi3> by 2>, tensor<2x4x!qnn.bipolar> -> !qflow.stream<tensor<1x2xsi6> by 1>
  func.return %a : !qflow.stream<tensor<1x2xsi6> by 1>
}
