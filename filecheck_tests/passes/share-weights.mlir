// RUN: qopt %s -p 'share-weights{clusters=3 bits=4}' | filecheck %s
// RUN: not qopt %s -p 'share-weights{clusters=1}' 2>&1 | filecheck %s --check-prefix FEW
// RUN: not qopt %s -p 'share-weights{bits=25}' 2>&1 | filecheck %s --check-prefix WIDE

// FEW: share-weights: clusters must be from 2 to 256, got 1
// WIDE: share-weights: bits must be from 2 to 24, got 25

// CHECK: scheme = "ui2 codes of 3 values of si4"
// CHECK-DAG: qnn.weight @w_codes = <tensor<2x4xui2>, [1, 1, 0, 0, 2, 2, 1, 2]>
// CHECK-DAG: qnn.weight @levels_codes = <tensor<1x2xui1>, [0, 1]>
qnn.weight @w = <tensor<2x4xf32>, [0.0, 0.0, -0.9, -1.1, 6.9, 7.0, 0.0, 7.1]>
qnn.weight @levels = <tensor<1x2xsi5>, [-7, 9]>

// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x1xf32> {
  %w = qnn.load @w : tensor<2x4xf32>
  // Zeros stay zeros; the others share their means, -1 and 7, in fixed point: the
  // greatest is 7 times the scale.
  // CHECK: %[[CODES:.*]] = qnn.load @w_codes
  // CHECK: %[[TABLE:.*]] = qnn.constant <tensor<3xsi4>, [-1, 0, 7]>
  // CHECK: %[[W:.*]] = qnn.decode %[[CODES]], %[[TABLE]] : tensor<2x4xui2>, tensor<3xsi4> -> tensor<2x4xsi4>
  // CHECK: %[[SCALE:.*]] = qnn.constant <tensor<f32>, [1.0]>
  // CHECK: qnn.dequantize %[[W]], %[[SCALE]]
  %0 = qnn.matmul %x, %w : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32>
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  // Levels share levels, and keep their scale.
  // CHECK: qnn.constant <tensor<2xsi5>, [-7, 9]>
  // CHECK: qnn.decode {{.*}} : tensor<1x2xui1>, tensor<2xsi5> -> tensor<1x2xsi5>
  %l = qnn.load @levels : tensor<1x2xsi5>
  %v = qnn.dequantize %l, %s, %z : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %1 = qnn.matmul %0, %v : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  func.return %1 : tensor<1x1xf32>
}
