// RUN: qopt %s | qopt | filecheck %s

// CHECK-LABEL: func.func @core
func.func @core(%q: tensor<1x4x5x70x!qnn.ternary>, %w: !qnn.packed<tensor<3x2x2x70xsi2>, word 32, panel 2>) {
  // CHECK: [[Q:%.*]] = qnn.pack %q
  %0 = qnn.pack %q : tensor<1x4x5x70x!qnn.ternary> -> !qnn.packed<tensor<1x4x5x70x!qnn.ternary>, word 32>
  // CHECK: qnn.packed_conv [[Q]], %w strides [1, 1] pads [1, 0, 0, 0] dilations [1, 2] : !qnn.packed<tensor<1x4x5x70x!qnn.ternary>, word 32>, !qnn.packed<tensor<3x2x2x70xsi2>, word 32, panel 2> -> tensor<1x4x3x3xsi10>
  %1 = qnn.packed_conv %0, %w strides [1, 1] pads [1, 0, 0, 0] dilations [1, 2] : !qnn.packed<tensor<1x4x5x70x!qnn.ternary>, word 32>, !qnn.packed<tensor<3x2x2x70xsi2>, word 32, panel 2> -> tensor<1x4x3x3xsi10>
  // CHECK: qnn.packed_conv {{.*}} stretch [2, 1] : {{.*}} -> tensor<1x6x4x3xsi10>
  %2 = qnn.packed_conv %0, %w strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] stretch [2, 1] : !qnn.packed<tensor<1x4x5x70x!qnn.ternary>, word 32>, !qnn.packed<tensor<3x2x2x70xsi2>, word 32, panel 2> -> tensor<1x6x4x3xsi10>
  func.return
}

// CHECK-LABEL: func.func @pool
func.func @pool(%q: tensor<1x6x32xui1>) {
  %0 = qnn.pack %q : tensor<1x6x32xui1> -> !qnn.packed<tensor<1x6x32xui1>, word 32>
  // CHECK: [[P:%.*]] = qnn.packed_max_pool {{.*}} kernel [2] strides [2] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x6x32xui1>, word 32> -> !qnn.packed<tensor<1x3x32xui1>, word 32>
  %1 = qnn.packed_max_pool %0 kernel [2] strides [2] pads [0, 0] dilations [1] : !qnn.packed<tensor<1x6x32xui1>, word 32> -> !qnn.packed<tensor<1x3x32xui1>, word 32>
  // CHECK: qnn.packed_reshape [[P]] : !qnn.packed<tensor<1x3x32xui1>, word 32> -> !qnn.packed<tensor<1x96xui1>, word 32>
  %2 = qnn.packed_reshape %1 : !qnn.packed<tensor<1x3x32xui1>, word 32> -> !qnn.packed<tensor<1x96xui1>, word 32>
  func.return
}
