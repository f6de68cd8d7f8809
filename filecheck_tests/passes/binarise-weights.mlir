// RUN: qopt %s --split-input-file --verify-diagnostics -p binarise-weights | filecheck %s
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'binarise-weights{per-tensor=true}' | filecheck %s --check-prefix TENSOR
// RUN: qopt %s --split-input-file --verify-diagnostics -p 'binarise-weights{layers="fc?"}' | filecheck %s --check-prefix SOME
// RUN: qopt %s --split-input-file --verify-diagnostics -p binarise-weights,lower-to-integer | filecheck %s --check-prefix INTEGER

// The sign of 0 is +1; alpha is the mean magnitude of a row. The old weights go.
// CHECK: qnn.weight_schemes = [{layer = "fc1", by = "binarise-weights", scheme = "!qnn.bipolar", count = 4 : i64, stored_bits = 68 : i64,
// CHECK-NOT: @w =
// CHECK: qnn.weight @w_bipolar = <tensor<2x2x!qnn.bipolar>, [1, -1, 1, -1]>
// TENSOR: stored_bits = 36 : i64
// SOME: layer = "fc1"
qnn.weight @w = <tensor<2x2xf32>, [0.5, -1.0, 0.0, -3.0]>
// CHECK-LABEL: func.func @main
// TENSOR-LABEL: func.func @main
// INTEGER-LABEL: func.func @main
func.func @main(%x: tensor<1x2xsi4>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %v = qnn.dequantize %x, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: %[[B:.*]] = qnn.load @w_bipolar
  // CHECK: %[[A:.*]] = qnn.constant <tensor<2x1xf32>, [0.75, 1.5]>
  // CHECK: %[[W:.*]] = qnn.dequantize %[[B]], %[[A]]
  // CHECK: qnn.matmul %v, %[[W]]
  // TENSOR: qnn.constant <tensor<f32>, [1.125]>
  // INTEGER: %[[N:.*]] = qnn.matmul %x, %{{.*}} : tensor<1x2xsi4>, tensor<2x2x!qnn.bipolar>
  // INTEGER: %[[S:.*]] = qnn.constant <tensor<2xf32>, [0.375, 0.75]>
  // INTEGER: qnn.dequantize %[[N]], %[[S]]
  %w = qnn.load @w : tensor<2x2xf32>
  %0 = qnn.matmul %v, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("fc1")
  func.return %0 : tensor<1x2xf32>
}

// -----

// Weights turned into place count as the layer's; levels stay as they are.
// CHECK-LABEL: func.func @turned
// SOME: binarise-weights: no layer 'fc?' has real weights; those that have: conv
func.func @turned(%x: tensor<1x1x2x1xf32>) -> tensor<1x2x2x1xf32> {
  // CHECK: qnn.constant <tensor<2x1x1x1x!qnn.bipolar>, [1, -1]>
  // CHECK: qnn.constant <tensor<2x1x1x1xf32>, [2.0, 4.0]>
  // CHECK-NOT: qnn.transpose
  // CHECK: qnn.conv
  %w = qnn.constant <tensor<1x2x1x1xf32>, [1.0, -2.0]>
  %two = qnn.constant <tensor<f32>, [2.0]>
  %m = qnn.mul %w, %two : tensor<1x2x1x1xf32>, tensor<f32> -> tensor<1x2x1x1xf32>
  %t = qnn.transpose %m perm [1, 0, 2, 3] : tensor<1x2x1x1xf32> -> tensor<2x1x1x1xf32>
  %0 = qnn.conv %x, %t strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 : tensor<1x1x2x1xf32>, tensor<2x1x1x1xf32> -> tensor<1x2x2x1xf32> loc("conv")
  func.return %0 : tensor<1x2x2x1xf32>
}
