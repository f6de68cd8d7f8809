// RUN: qopt %s | qopt | filecheck %s

// Small constants print as decimals, large ones as hex.
// CHECK: qnn.weight @bits = <tensor<2x4x!qnn.bipolar>, [1, 1, 1, 1, -1, -1, -1, -1]>
qnn.weight @bits = <tensor<2x4x!qnn.bipolar>, "0f">
// CHECK-NEXT: qnn.weight @many = <tensor<33xui1>, "0102030401">
qnn.weight @many = <tensor<33xui1>, "0102030401">

// CHECK-LABEL: func.func @constants
func.func @constants() -> tensor<2x4x!qnn.bipolar> {
  // CHECK: qnn.constant <tensor<3xf32>, [1.0, 0.1, -1.0e-05]>
  %a = qnn.constant <tensor<3xf32>, [1.0, 0.1, -1.0e-05]>
  // CHECK: qnn.constant <tensor<3x!qnn.ternary>, [1, -1, 0]>
  %b = qnn.constant <tensor<3x!qnn.ternary>, [1, -1, 0]>
  // A float that is no number has no decimals.
  // CHECK: qnn.constant <tensor<f32>, "0000c07f">
  %c = qnn.constant <tensor<f32>, "0000c07f">
  // CHECK: qnn.load @bits : tensor<2x4x!qnn.bipolar>
  %d = qnn.load @bits : tensor<2x4x!qnn.bipolar>
  func.return %d : tensor<2x4x!qnn.bipolar>
}
