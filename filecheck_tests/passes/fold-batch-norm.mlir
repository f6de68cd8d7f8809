// RUN: qopt %s --split-input-file -p fold-batch-norm | filecheck %s

// gamma / sqrt(variance + epsilon) is [1, -1]; beta - mean * slope is [3, 5].
// CHECK-LABEL: func.func @folded
func.func @folded(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %gamma = qnn.constant <tensor<2xf32>, [2.0, -2.0]>
  %beta = qnn.constant <tensor<2xf32>, [4.0, 4.0]>
  %mean = qnn.constant <tensor<2xf32>, [1.0, 1.0]>
  %variance = qnn.constant <tensor<2xf32>, [3.0, 3.0]>
  // CHECK: %[[A:.*]] = qnn.constant <tensor<1x2xf32>, [1.0, -1.0]>
  // CHECK: %[[B:.*]] = qnn.constant <tensor<1x2xf32>, [3.0, 5.0]>
  // CHECK: %[[P:.*]] = qnn.mul %x, %[[A]]
  // CHECK: qnn.add %[[P]], %[[B]]
  // CHECK-NOT: qnn.batch_norm
  %0 = qnn.batch_norm %x, %gamma, %beta, %mean, %variance epsilon 1.0 axis 1 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// Parameters that are computed stay.
// CHECK-LABEL: func.func @computed
func.func @computed(%x: tensor<1x2xf32>, %p: tensor<2xf32>) -> tensor<1x2xf32> {
  // CHECK: qnn.batch_norm
  %0 = qnn.batch_norm %x, %p, %p, %p, %p epsilon 1.0 axis 1 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// Channels along the second of three axes.
// CHECK-LABEL: func.func @axis
func.func @axis(%x: tensor<1x2x3xf32>) -> tensor<1x2x3xf32> {
  %p = qnn.constant <tensor<2xf32>, [1.0, 1.0]>
  // CHECK: qnn.constant <tensor<1x2x1xf32>
  %0 = qnn.batch_norm %x, %p, %p, %p, %p epsilon 0.0 axis 1 : tensor<1x2x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2x3xf32>
  func.return %0 : tensor<1x2x3xf32>
}
