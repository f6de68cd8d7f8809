// RUN: %roundtrip
// RUN: %generic

// CHECK-LABEL: func.func @windows
func.func @windows(%x: !qflow.stream<tensor<1x4x5x6xsi3> by 2>, %y: !qflow.stream<tensor<1x4x5x2x!qnn.bipolar> by 2>) {
  // CHECK: qflow.swu %x kernel [3, 2] strides [1, 2] pads [1, 0, 1, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x3x36xsi3> by 2>
  %0 = qflow.swu %x kernel [3, 2] strides [1, 2] pads [1, 0, 1, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x3x36xsi3> by 2>
  // CHECK: qflow.swu %x kernel [1, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 2] groups 3 : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x3x3x4xsi3> by 2>
  %1 = qflow.swu %x kernel [1, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 2] groups 3 : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x4x3x3x4xsi3> by 2>
  // CHECK: qflow.swu %y kernel [3, 3] strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x2x!qnn.bipolar> by 2> -> !qflow.stream<tensor<1x4x5x18x!qnn.bipolar> by 18>
  %2 = qflow.swu %y kernel [3, 3] strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x2x!qnn.bipolar> by 2> -> !qflow.stream<tensor<1x4x5x18x!qnn.bipolar> by 18>
  // CHECK: qflow.pool max %x kernel [2, 2] strides [2, 2] pads [0, 0, 0, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x6xsi3> by 2>
  %3 = qflow.pool max %x kernel [2, 2] strides [2, 2] pads [0, 0, 0, 1] dilations [1, 1] : !qflow.stream<tensor<1x4x5x6xsi3> by 2> -> !qflow.stream<tensor<1x2x3x6xsi3> by 2>
  // CHECK: qflow.pool sum %y kernel [4, 5] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x2x!qnn.bipolar> by 2> -> !qflow.stream<tensor<1x1x1x2xsi6> by 2>
  %4 = qflow.pool sum %y kernel [4, 5] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : !qflow.stream<tensor<1x4x5x2x!qnn.bipolar> by 2> -> !qflow.stream<tensor<1x1x1x2xsi6> by 2>
  func.return
}

// CHECK-LABEL: func.func @products
func.func @products(%x: !qflow.stream<tensor<1x2x3x4xsi3> by 2>, %g: !qflow.stream<tensor<1x3x2x2xsi3> by 1>) {
  %w = qnn.constant <tensor<2x4xsi2>, [1, -1, 1, 0, 0, 0, 1, 1]>
  %v = qnn.constant <tensor<4x2xsi2>, [1, -1, 1, 0, 0, 0, 1, 1]>
  %b = qnn.constant <tensor<2x1x2xsi2>, [1, -1, 1, 0]>
  %c = qnn.constant <tensor<1x2x4xsi2>, [1, -1, 1, 0, 0, 1, 1, 1]>
  %t = qnn.constant <tensor<4x1xsi3>, [1, 2, 3, -1]>
  %f = qnn.constant <tensor<4xui1>, [0, 1, 1, 0]>
  // CHECK: qflow.mvu %x, %w bias %b : tensor<2x1x2xsi2> rows [0, 1] accumulator si6 offset 0 : !qflow.stream<tensor<1x2x3x4xsi3> by 2>, tensor<2x4xsi2> -> !qflow.stream<tensor<1x2x3x2xsi6> by 1>
  %0 = qflow.mvu %x, %w bias %b : tensor<2x1x2xsi2> rows [0, 1] accumulator si6 offset 0 : !qflow.stream<tensor<1x2x3x4xsi3> by 2>, tensor<2x4xsi2> -> !qflow.stream<tensor<1x2x3x2xsi6> by 1>
  // CHECK: qflow.mvu %g, %v groups 2 bias %c : tensor<1x2x4xsi2> columns [0, 1, 0] thresholds %t : tensor<4x1xsi3> falling %f : tensor<4xui1> accumulator si6 offset 0 : !qflow.stream<tensor<1x3x2x2xsi3> by 1>, tensor<4x2xsi2> -> !qflow.stream<tensor<1x3x2x2xui1> by 1>
  %1 = qflow.mvu %g, %v groups 2 bias %c : tensor<1x2x4xsi2> columns [0, 1, 0] thresholds %t : tensor<4x1xsi3> falling %f : tensor<4xui1> accumulator si6 offset 0 : !qflow.stream<tensor<1x3x2x2xsi3> by 1>, tensor<4x2xsi2> -> !qflow.stream<tensor<1x3x2x2xui1> by 1>
  // CHECK: qflow.vvu %x, %v kernel [1, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] bias %c : tensor<1x2x4xsi2> columns [1, 0] thresholds %t : tensor<4x1xsi3> accumulator si6 offset 0 : !qflow.stream<tensor<1x2x3x4xsi3> by 2>, tensor<4x2xsi2> -> !qflow.stream<tensor<1x2x2x4xui1> by 2>
  %2 = qflow.vvu %x, %v kernel [1, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] bias %c : tensor<1x2x4xsi2> columns [1, 0] thresholds %t : tensor<4x1xsi3> accumulator si6 offset 0 : !qflow.stream<tensor<1x2x3x4xsi3> by 2>, tensor<4x2xsi2> -> !qflow.stream<tensor<1x2x2x4xui1> by 2>
  func.return
}

// CHECK-LABEL: func.func @arranging
func.func @arranging(%x: !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1>) {
  // CHECK: qflow.pad %x value 0 pads [1, 0, 1, 2] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x5x4x!qnn.ternary> by 1>
  %0 = qflow.pad %x value 0 pads [1, 0, 1, 2] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x5x4x!qnn.ternary> by 1>
  // CHECK: qflow.pad %x value -1 pads [0, 0, 0, 0] stretch [2, 1] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x3x3x4x!qnn.bipolar> by 1>
  %1 = qflow.pad %x value -1 pads [0, 0, 0, 0] stretch [2, 1] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x3x3x4x!qnn.bipolar> by 1>
  // CHECK: qflow.slice %x offsets [0, 0, 1, 2] steps [1, 1, 2, 1] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x2x1x2x!qnn.bipolar> by 1>
  %2 = qflow.slice %x offsets [0, 0, 1, 2] steps [1, 1, 2, 1] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x2x1x2x!qnn.bipolar> by 1>
  // CHECK: qflow.upsample %x factors [1, 3] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x2x9x4x!qnn.bipolar> by 1>
  %3 = qflow.upsample %x factors [1, 3] : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x2x9x4x!qnn.bipolar> by 1>
  // CHECK: qflow.depth_to_space %x block 2 order dcr : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x6x1x!qnn.bipolar> by 1>
  %4 = qflow.depth_to_space %x block 2 order dcr : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x4x6x1x!qnn.bipolar> by 1>
  // CHECK: qflow.reshape %x : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x24x!qnn.bipolar> by 1>
  %5 = qflow.reshape %x : !qflow.stream<tensor<1x2x3x4x!qnn.bipolar> by 1> -> !qflow.stream<tensor<1x24x!qnn.bipolar> by 1>
  func.return
}

// CHECK-LABEL: func.func @joining
func.func @joining(%x: !qflow.stream<tensor<1x3x4xsi3> by 2>, %y: !qflow.stream<tensor<1x3x4xsi5> by 2>) {
  %f = qnn.constant <tensor<2x4xsi3>, [1, 1, 1, 1, 2, 2, -1, 1]>
  %b = qnn.constant <tensor<4xsi3>, [0, 1, 2, 3]>
  // CHECK: qflow.add %x, %y factors %f : tensor<2x4xsi3> bias %b : tensor<4xsi3> : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x4xsi8> by 2>
  %0 = qflow.add %x, %y factors %f : tensor<2x4xsi3> bias %b : tensor<4xsi3> : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x4xsi8> by 2>
  // CHECK: qflow.mul %x, %y : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x4xsi8> by 2>
  %1 = qflow.mul %x, %y : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x4xsi8> by 2>
  // CHECK: qflow.abs %x : !qflow.stream<tensor<1x3x4xsi3> by 2> -> !qflow.stream<tensor<1x3x4xui3> by 2>
  %3 = qflow.abs %x : !qflow.stream<tensor<1x3x4xsi3> by 2> -> !qflow.stream<tensor<1x3x4xui3> by 2>
  // CHECK: qflow.concat %x, %y axis 2 : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x8xsi5> by 2>
  %2 = qflow.concat %x, %y axis 2 : !qflow.stream<tensor<1x3x4xsi3> by 2>, !qflow.stream<tensor<1x3x4xsi5> by 2> -> !qflow.stream<tensor<1x3x8xsi5> by 2>
  func.return
}
