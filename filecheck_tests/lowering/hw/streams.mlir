// RUN: qopt %s -p convert-qflow-to-hw | filecheck %s

// Several functions: the top of each has its name. Equal FIFOs are one module.
// CHECK: hw.module @qnnc_split_fork_2x3(
// CHECK: hw.module @qnnc_split_fifo_4x3(
// CHECK-NOT: hw.module @qnnc_split_fifo
// CHECK: hw.module @qnnc_split_top(
// Streams are numbered where there are several.
// CHECK-SAME: in %s_axis_tdata: i8,
// CHECK-SAME: out m_axis_0_tdata: i8, out m_axis_0_tvalid: i1, out m_axis_0_tlast: i1, out m_axis_1_tdata: i8,
// CHECK: hw.instance "fifo_0" @qnnc_split_fifo_4x3(
// CHECK: hw.instance "fifo_1" @qnnc_split_fifo_4x3(
func.func @split(%q: !qflow.stream<tensor<1x2xsi3> by 1>) -> (!qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>) {
  %0, %1 = qflow.fork %q : !qflow.stream<tensor<1x2xsi3> by 1> -> !qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>
  %a = qflow.fifo %0 depth 4 : !qflow.stream<tensor<1x2xsi3> by 1> -> !qflow.stream<tensor<1x2xsi3> by 1>
  %b = qflow.fifo %1 depth 4 : !qflow.stream<tensor<1x2xsi3> by 1> -> !qflow.stream<tensor<1x2xsi3> by 1>
  func.return %a, %b : !qflow.stream<tensor<1x2xsi3> by 1>, !qflow.stream<tensor<1x2xsi3> by 1>
}

// A join takes a beat of each operand in the same cycle. A reshape is no module.
// CHECK: hw.module @qnnc_join_add_residual(in %clk: !seq.clock, in %rst: i1, in %in0_data: i3, in %in0_valid: i1, in %in1_data: i2, in %in1_valid: i1,
// CHECK-NOT: reshape
// CHECK: hw.module @qnnc_join_top(
// CHECK-SAME: in %s_axis_0_tdata: i8, {{.*}} in %s_axis_1_tdata: i8,
// CHECK-SAME: qflow.inputs = [!qflow.stream<tensor<1x2x2xsi3> by 1>, !qflow.stream<tensor<1x2x2xui2> by 1>], qflow.outputs = [!qflow.stream<tensor<1x4xsi5> by 1>]
// CHECK: hw.instance "add_residual" @qnnc_join_add_residual({{.*}}in0_data: {{.*}}in1_data:
func.func @join(%p: !qflow.stream<tensor<1x2x2xsi3> by 1>, %q: !qflow.stream<tensor<1x2x2xui2> by 1>) -> !qflow.stream<tensor<1x4xsi5> by 1> {
  %f = qnn.constant <tensor<2x2xsi2>, [1, 1, -1, 1]>
  %b = qnn.constant <tensor<2xsi2>, [0, 1]>
  %0 = qflow.add %p, %q factors %f : tensor<2x2xsi2> bias %b : tensor<2xsi2> : !qflow.stream<tensor<1x2x2xsi3> by 1>, !qflow.stream<tensor<1x2x2xui2> by 1> -> !qflow.stream<tensor<1x2x2xsi5> by 1> loc("residual")
  %1 = qflow.reshape %0 : !qflow.stream<tensor<1x2x2xsi5> by 1> -> !qflow.stream<tensor<1x4xsi5> by 1>
  func.return %1 : !qflow.stream<tensor<1x4xsi5> by 1>
}
