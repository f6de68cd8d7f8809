// RUN: %roundtrip
// RUN: %generic

// CHECK-LABEL: func.func @channels_first
func.func @channels_first(%x: tensor<1x4x6x5xf32>, %w: tensor<8x2x3x3xf32>) -> tensor<1x8x3x3xf32> {
  // CHECK: qnn.conv %x, %w strides [2, 2] pads [1, 1, 1, 1] dilations [1, 1] groups 2 : tensor<1x4x6x5xf32>, tensor<8x2x3x3xf32> -> tensor<1x8x3x3xf32>
  %0 = qnn.conv %x, %w strides [2, 2] pads [1, 1, 1, 1] dilations [1, 1] groups 2 : tensor<1x4x6x5xf32>, tensor<8x2x3x3xf32> -> tensor<1x8x3x3xf32>
  func.return %0 : tensor<1x8x3x3xf32>
}

// CHECK-LABEL: func.func @channels_last
func.func @channels_last(%x: tensor<1x6x5x4x!qnn.bipolar>, %w: tensor<8x3x3x4x!qnn.bipolar>) -> tensor<1x6x5x8xsi7> {
  // CHECK: qnn.conv %x, %w strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 channels_last : tensor<1x6x5x4x!qnn.bipolar>
  %0 = qnn.conv %x, %w strides [1, 1] pads [1, 1, 1, 1] dilations [1, 1] groups 1 channels_last : tensor<1x6x5x4x!qnn.bipolar>, tensor<8x3x3x4x!qnn.bipolar> -> tensor<1x6x5x8xsi7>
  func.return %0 : tensor<1x6x5x8xsi7>
}

// CHECK-LABEL: func.func @transposed
func.func @transposed(%x: tensor<1x4x5xsi4>, %w: tensor<8x4x3xsi4>) -> tensor<1x8x11xsi12> {
  // CHECK: qnn.conv %x, %w strides [1] pads [2, 2] dilations [1] stretch [2] groups 1 : tensor<1x4x5xsi4>
  %0 = qnn.conv %x, %w strides [1] pads [2, 2] dilations [1] stretch [2] groups 1 : tensor<1x4x5xsi4>, tensor<8x4x3xsi4> -> tensor<1x8x11xsi12>
  func.return %0 : tensor<1x8x11xsi12>
}

// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<1x4x6x5xsi4>) -> tensor<1x4x2x2xsi8> {
  // CHECK: qnn.max_pool %x kernel [3, 2] strides [2, 2] pads [0, 0, 1, 1] dilations [1, 1] : tensor<1x4x6x5xsi4> -> tensor<1x4x3x3xsi4>
  %0 = qnn.max_pool %x kernel [3, 2] strides [2, 2] pads [0, 0, 1, 1] dilations [1, 1] : tensor<1x4x6x5xsi4> -> tensor<1x4x3x3xsi4>
  // CHECK: qnn.sum_pool %0 kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : tensor<1x4x3x3xsi4> -> tensor<1x4x2x2xsi8>
  %1 = qnn.sum_pool %0 kernel [2, 2] strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] : tensor<1x4x3x3xsi4> -> tensor<1x4x2x2xsi8>
  func.return %1 : tensor<1x4x2x2xsi8>
}

// CHECK-LABEL: func.func @rearranged
func.func @rearranged(%x: tensor<1x4x2x3x!qnn.bipolar>) -> tensor<1x1x4x6x!qnn.ternary> {
  %z = qnn.constant <tensor<!qnn.ternary>, [0]>
  // CHECK: qnn.pad %x, %z low [0, 0, 0, 0] high [0, 0, 0, 1] : tensor<1x4x2x3x!qnn.bipolar>, tensor<!qnn.ternary> -> tensor<1x4x2x4x!qnn.ternary>
  %0 = qnn.pad %x, %z low [0, 0, 0, 0] high [0, 0, 0, 1] : tensor<1x4x2x3x!qnn.bipolar>, tensor<!qnn.ternary> -> tensor<1x4x2x4x!qnn.ternary>
  // CHECK: qnn.slice %0 offsets [0, 1, 0, 0] steps [1, 2, 1, 1] : tensor<1x4x2x4x!qnn.ternary> -> tensor<1x2x2x4x!qnn.ternary>
  %1 = qnn.slice %0 offsets [0, 1, 0, 0] steps [1, 2, 1, 1] : tensor<1x4x2x4x!qnn.ternary> -> tensor<1x2x2x4x!qnn.ternary>
  // CHECK: qnn.concat %1, %1 axis 1 : tensor<1x2x2x4x!qnn.ternary>, tensor<1x2x2x4x!qnn.ternary> -> tensor<1x4x2x4x!qnn.ternary>
  %2 = qnn.concat %1, %1 axis 1 : tensor<1x2x2x4x!qnn.ternary>, tensor<1x2x2x4x!qnn.ternary> -> tensor<1x4x2x4x!qnn.ternary>
  // CHECK: qnn.upsample %2 factors [1, 1, 2, 2] : tensor<1x4x2x4x!qnn.ternary> -> tensor<1x4x4x8x!qnn.ternary>
  %3 = qnn.upsample %2 factors [1, 1, 2, 2] : tensor<1x4x2x4x!qnn.ternary> -> tensor<1x4x4x8x!qnn.ternary>
  %4 = qnn.slice %3 offsets [0, 0, 0, 0] steps [1, 1, 2, 3] : tensor<1x4x4x8x!qnn.ternary> -> tensor<1x4x2x3x!qnn.ternary>
  // CHECK: qnn.depth_to_space %4 block 2 order crd : tensor<1x4x2x3x!qnn.ternary> -> tensor<1x1x4x6x!qnn.ternary>
  %5 = qnn.depth_to_space %4 block 2 order crd : tensor<1x4x2x3x!qnn.ternary> -> tensor<1x1x4x6x!qnn.ternary>
  func.return %5 : tensor<1x1x4x6x!qnn.ternary>
}
