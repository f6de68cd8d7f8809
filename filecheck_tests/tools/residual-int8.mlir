// RUN: qopt %s --pipeline=bnn-integer | filecheck %s

// A residual block of levels of 8 bits: scales and zero points of both branches and of
// the sum are unrelated. The scales of the branches share a grid of 2**-28.
// CHECK-LABEL: func.func @core
// CHECK: %[[A:.*]] = qnn.mul %x, %{{.*}} : tensor<1x4xsi8>, tensor<ui8> -> tensor<1x4xsi16>
// CHECK: %[[B:.*]] = qnn.mul %{{.*}} : tensor<1x4xsi8>, tensor<ui10> -> tensor<1x4xsi17>
// CHECK: %[[SUM:.*]] = qnn.add %[[A]], %[[B]] : {{.*}} -> tensor<1x4xsi18>
// CHECK: qnn.threshold %[[SUM]]
func.func @main(%x: tensor<1x4xsi8>) -> tensor<1x4xsi8> {
  %sx = qnn.constant <tensor<f32>, [0.0393935516]>
  %zx = qnn.constant <tensor<f32>, [-128.0]>
  %sw = qnn.constant <tensor<4x1xf32>, [0.004, 0.005, 0.006, 0.007]>
  %zw = qnn.constant <tensor<f32>, [0.0]>
  %sb = qnn.constant <tensor<f32>, [0.104194961]>
  %zb = qnn.constant <tensor<f32>, [4.0]>
  %sy = qnn.constant <tensor<f32>, [0.0509456731]>
  %zy = qnn.constant <tensor<f32>, [-128.0]>
  %w = qnn.constant <tensor<4x4xsi8>, [97, -33, 12, 5, -71, 127, 64, 3, 18, -90, 41, 77, -6, 22, -113, 50]>
  %skip = qnn.dequantize %x, %sx, %zx : tensor<1x4xsi8>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %rw = qnn.dequantize %w, %sw, %zw : tensor<4x4xsi8>, tensor<4x1xf32>, tensor<f32> -> tensor<4x4xf32>
  %0 = qnn.matmul %skip, %rw : tensor<1x4xf32>, tensor<4x4xf32> -> tensor<1x4xf32>
  %1 = qnn.quantize %0, %sb, %zb rounding half_even : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi8>
  %branch = qnn.dequantize %1, %sb, %zb : tensor<1x4xsi8>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %2 = qnn.add %skip, %branch : tensor<1x4xf32>, tensor<1x4xf32> -> tensor<1x4xf32>
  %3 = qnn.relu %2 : tensor<1x4xf32> -> tensor<1x4xf32>
  %y = qnn.quantize %3, %sy, %zy rounding half_even : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi8>
  func.return %y : tensor<1x4xsi8>
}
