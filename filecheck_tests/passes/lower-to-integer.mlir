// RUN: qopt %s --split-input-file --verify-diagnostics -p lower-to-integer | filecheck %s

// Scales multiply, the sum is taken of the levels, a zero point moves behind the sum.
// CHECK-LABEL: func.func @product
func.func @product(%q: tensor<1x2xui2>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [1.0]>
  %none = qnn.constant <tensor<f32>, [0.0]>
  %t = qnn.constant <tensor<2x1xf32>, [0.5, 0.25]>
  %w = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, 1, 1, -1]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2xui2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %v = qnn.dequantize %w, %t, %none : tensor<2x2x!qnn.bipolar>, tensor<2x1xf32>, tensor<f32> -> tensor<2x2xf32>
  // CHECK: %[[A:.*]] = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi4>
  // CHECK: %[[Z:.*]] = qnn.constant <tensor<2xf32>, [2.0, 0.0]>
  // CHECK: %[[S:.*]] = qnn.constant <tensor<2xf32>, [0.25, 0.125]>
  // CHECK: qnn.dequantize %[[A]], %[[S]], %[[Z]]
  %0 = qnn.matmul %x, %v : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// A flatten moves before the dequantiser.
// CHECK-LABEL: func.func @flatten
func.func @flatten(%q: tensor<1x1x2xsi4>, %w: tensor<1x2xsi4>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x1x2xf32>
  %v = qnn.dequantize %w, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  // CHECK: %[[R:.*]] = qnn.reshape %q : tensor<1x1x2xsi4> -> tensor<1x2xsi4>
  // CHECK: qnn.matmul %[[R]], %w
  %r = qnn.reshape %x : tensor<1x1x2xf32> -> tensor<1x2xf32>
  %0 = qnn.matmul %r, %v : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %0 : tensor<1x1xf32>
}

// -----

// A scale for each channel, of either sign, and a bias: a grid for each channel.
// CHECK-LABEL: func.func @sum_of_channels
func.func @sum_of_channels(%a: tensor<1x2xsi4>, %b: tensor<1x2xsi4>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<1x2xf32>, [0.5, -0.75]>
  %t = qnn.constant <tensor<f32>, [0.25]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %k = qnn.constant <tensor<1x2xf32>, [1.5, 0.125]>
  // CHECK: %[[P:.*]] = qnn.constant <tensor<1x2xsi4>, [2, -6]>
  // CHECK: qnn.mul %a, %[[P]]
  // CHECK: %[[Q:.*]] = qnn.constant <tensor<1x2xui2>, [1, 2]>
  // CHECK: qnn.mul %b, %[[Q]]
  // CHECK: %[[SUM:.*]] = qnn.add {{.*}} -> tensor<1x2xsi7>
  // CHECK: qnn.constant <tensor<1x2xf32>, [0.25, 0.125]>
  // CHECK: qnn.constant <tensor<1x2xf32>, [-6.0, -1.0]>
  // CHECK: qnn.dequantize %[[SUM]]
  %x = qnn.dequantize %a, %s, %z : tensor<1x2xsi4>, tensor<1x2xf32>, tensor<f32> -> tensor<1x2xf32>
  %y = qnn.dequantize %b, %t, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %c = qnn.add %x, %k : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %0 = qnn.add %c, %y : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %0 : tensor<1x2xf32>
}

// -----

// CHECK: lower-to-integer: qnn.matmul (node 'fc'): the weights are real numbers
func.func @real_weights(%q: tensor<1x2xsi4>, %v: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %x = qnn.dequantize %q, %s, %z : tensor<1x2xsi4>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %0 = qnn.matmul %x, %v : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32> loc("fc")
  func.return %0 : tensor<1x1xf32>
}
