// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t sv | filecheck %s

// A pool, a padded convolution and one of each channel, a pixel of 2 elements a beat.

// Windows that do not overlap need one word for each that is open: 2 columns.
// CHECK-LABEL: module net_pool_0 (
// CHECK: input  wire [3:0] in_data,
// CHECK: output wire [3:0] out_data,
// CHECK: logic [3:0] accumulators_mem [0:1];

// Taps on padding are code 0.
// CHECK-LABEL: // Sliding windows, a tap a beat, over {{[0-9]+}} words.
// CHECK-NEXT: module net_swu_conv_swu (
// CHECK: logic [3:0] memory_mem [0:{{[0-9]+}}];
// CHECK: out_data_q <= 4'd0;
// CHECK: out_data_q <= memory_mem[read_address_q];

// CHECK-LABEL: // Matrix-vector unit: 2 rows of 18 weights, 1 rows by 2 columns a cycle,
// CHECK-NEXT: // 18 cycles a vector.
// CHECK-NEXT: module net_mvu_conv (

// The depthwise unit has a line buffer of its own in front of its products.
// CHECK-LABEL: module net_vvu_each_windows (
// CHECK-LABEL: module net_vvu_each (
// CHECK: net_vvu_each_windows u_windows (
// CHECK: net_vvu_each_products u_products (

// The last beat of a frame is that of the last vector.
// CHECK-LABEL: module net_top (
// CHECK: wire m_axis_vector_last_w = m_axis_vector_q == 2'd3;
// CHECK: net_swu_conv_swu u_swu_conv_swu (
// CHECK: .in_data(pool_0_out_data_w),
// CHECK: assign m_axis_tdata = {3'd0, vvu_each_out_data_w};
// CHECK: assign m_axis_tlast = m_axis_beat_last_w & m_axis_vector_last_w;
func.func @core(%q: !qflow.stream<tensor<1x4x4x2xui2> by 2>) -> !qflow.stream<tensor<1x2x2x2xsi5> by 1> {
  %w = qnn.constant <tensor<2x18x!qnn.bipolar>, "123456789a">
  %v = qnn.constant <tensor<2x4xsi2>, [1, 1, 0, -1, 1, 0, 1, 1]>
  %t = qnn.constant <tensor<2x1xsi7>, [1, -2]>
  %0 = qflow.pool max %q kernel [2, 2] strides [2, 2] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x4x2xui2> by 2> -> !qflow.stream<tensor<1x2x2x2xui2> by 2>
  %1 = qflow.swu %0 kernel [3, 3] strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] : !qflow.stream<tensor<1x2x2x2xui2> by 2> -> !qflow.stream<tensor<1x2x2x18xui2> by 2> loc("conv")
  %2 = qflow.mvu %1, %w thresholds %t : tensor<2x1xsi7> accumulator si7 offset 0 : !qflow.stream<tensor<1x2x2x18xui2> by 2>, tensor<2x18x!qnn.bipolar> -> !qflow.stream<tensor<1x2x2x2xui1> by 1> loc("conv")
  %3 = qflow.vvu %2, %v kernel [2, 2] strides [1, 1] pads [0, 0, 1, 1] dilations [1, 1] accumulator si5 offset 0 : !qflow.stream<tensor<1x2x2x2xui1> by 1>, tensor<2x4xsi2> -> !qflow.stream<tensor<1x2x2x2xsi5> by 1> loc("each")
  func.return %3 : !qflow.stream<tensor<1x2x2x2xsi5> by 1>
}
