// RUN: qopt %s | qopt | filecheck %s

// CHECK-LABEL: func.func @quantisers
func.func @quantisers(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  // CHECK: qnn.quantize %x, %s, %z rounding half_even narrow : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi3>
  %q = qnn.quantize %x, %s, %z rounding half_even narrow : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi3>
  // CHECK: qnn.quantize %x, %s, %z rounding half_down : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xui3>
  %u = qnn.quantize %x, %s, %z rounding half_down : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xui3>
  // CHECK: qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  %b = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  // CHECK: qnn.dequantize %q, %s, %z : tensor<1x4xsi3>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %d = qnn.dequantize %q, %s, %z : tensor<1x4xsi3>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  func.return %d : tensor<1x4xf32>
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %g = qnn.constant <tensor<2xf32>, [0.5, 1.5]>
  // CHECK: qnn.batch_norm %x, %g, %g, %g, %g epsilon 1.000000e-05 axis 1 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  %0 = qnn.batch_norm %x, %g, %g, %g, %g epsilon 1.0e-05 axis 1 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.add %{{.*}}, %g : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  %1 = qnn.add %0, %g : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.relu %{{.*}} : tensor<1x2xf32> -> tensor<1x2xf32>
  %2 = qnn.relu %1 : tensor<1x2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.hardtanh %{{.*}} low -1.000000e+00 high 1.000000e+00 : tensor<1x2xf32> -> tensor<1x2xf32>
  %3 = qnn.hardtanh %2 low -1.0 high 1.0 : tensor<1x2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.leaky_relu %{{.*}} slope 1.250000e-01 : tensor<1x2xf32> -> tensor<1x2xf32>
  %4 = qnn.leaky_relu %3 slope 0.125 : tensor<1x2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.hard_sigmoid %{{.*}} alpha 2.000000e-01 beta 5.000000e-01 : tensor<1x2xf32> -> tensor<1x2xf32>
  %5 = qnn.hard_sigmoid %4 alpha 0.2 beta 0.5 : tensor<1x2xf32> -> tensor<1x2xf32>
  // CHECK: qnn.softmax %{{.*}} axis 1 : tensor<1x2xf32> -> tensor<1x2xf32>
  %6 = qnn.softmax %5 axis 1 : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %6 : tensor<1x2xf32>
}

// CHECK-LABEL: func.func @shapes
func.func @shapes(%x: tensor<1x2x3xf32>) -> tensor<1x6xf32> {
  // CHECK: qnn.transpose %x perm [0, 2, 1] : tensor<1x2x3xf32> -> tensor<1x3x2xf32>
  %0 = qnn.transpose %x perm [0, 2, 1] : tensor<1x2x3xf32> -> tensor<1x3x2xf32>
  // CHECK: qnn.reshape %{{.*}} : tensor<1x3x2xf32> -> tensor<1x6xf32>
  %1 = qnn.reshape %0 : tensor<1x3x2xf32> -> tensor<1x6xf32>
  func.return %1 : tensor<1x6xf32>
}
