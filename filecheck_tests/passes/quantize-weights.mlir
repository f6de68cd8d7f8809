// RUN: qopt %s --split-input-file --verify-diagnostics -p 'quantize-weights{bits=4}' | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'quantize-weights{bits=4 power-of-two=true}' | filecheck %s --check-prefix POWER
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'quantize-weights{bits=4 per-tensor=true}' | filecheck %s --check-prefix TENSOR
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'quantize-weights{bits=2}' | filecheck %s --check-prefix TWO
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'quantize-weights{bits=1}' | filecheck %s --check-prefix ONE

// The greatest weight of a row is level 7, so that steps are 0.5 and 0.25; ties go to
// the even level: 1.25 / 0.5 is 2. A power of two of at least 7/16 of 1.75 is 0.25.
// CHECK: qnn.constant <tensor<2x3xsi4>, [7, 2, -1, -7, 0, 3]>
// CHECK: qnn.constant <tensor<2x1xf32>, [0.5, 0.25]>
// POWER: qnn.constant <tensor<2x3xsi4>, [7, 2, -1, -7, 0, 3]>
// POWER: qnn.constant <tensor<2x1xf32>, [0.5, 0.25]>
// TENSOR: qnn.constant <tensor<2x3xsi4>, [7, 2, -1, -4, 0, 2]>
// TENSOR: qnn.constant <tensor<f32>, [0.5]>
// TWO: qnn.constant <tensor<2x3x!qnn.ternary>, [1, 0, 0, -1, 0, 0]>
// TWO: qnn.constant <tensor<2x1xf32>, [3.5, 1.75]>
// ONE: quantize-weights: bits must be from 2 to 24, got 1; binarise-weights makes weights of one bit
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x2xf32> {
  %w = qnn.constant <tensor<2x3xf32>, [3.5, 1.25, -0.625, -1.75, 0.0, 0.75]>
  %0 = qnn.matmul %x, %w : tensor<1x3xf32>, tensor<2x3xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// CHECK: quantize-weights: qnn.matmul (node 'fc'): a weight is not finite
func.func @main(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w = qnn.constant <tensor<1x1xf32>, "0000807f">
  %0 = qnn.matmul %x, %w : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32> loc("fc")
  func.return %0 : tensor<1x1xf32>
}

// -----

// Scales that are no powers of two are rounded up to one, so that nothing saturates.
// CHECK-LABEL: func.func @up
// POWER-LABEL: func.func @up
func.func @up(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  // CHECK: qnn.constant <tensor<1x2xsi4>, [7, -2]>
  // POWER: qnn.constant <tensor<1x2xsi4>, [6, -2]>
  // POWER: qnn.constant <tensor<f32>, [0.5]>
  %w = qnn.constant <tensor<1x2xf32>, [3.0, -1.0]>
  %0 = qnn.matmul %x, %w : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %0 : tensor<1x1xf32>
}
