// RUN: qopt %s | qopt | filecheck %s

// Few values are printed as numbers, exactly; a posit is stored as its code.
// CHECK: qnn.weight @w = <tensor<4x!qnn.posit<16,1>>, [0.5, -1.0, 0.29998779296875, 268435456.0]>
qnn.weight @w = <tensor<4x!qnn.posit<16,1>>, [0.5, -1.0, 0.29998779296875, 268435456.0]>
// CHECK: qnn.weight @codes = <tensor<3x!qnn.posit<8,0>>, [0.015625, 64.0, -0.015625]>
qnn.weight @codes = <tensor<3x!qnn.posit<8, 0>>, "017fff">

// CHECK-LABEL: func.func @values
func.func @values() -> tensor<4xf32> {
  %w = qnn.load @w : tensor<4x!qnn.posit<16,1>>
  // CHECK: qnn.from_posit %w : tensor<4x!qnn.posit<16,1>> -> tensor<4xf32>
  %0 = qnn.from_posit %w : tensor<4x!qnn.posit<16,1>> -> tensor<4xf32>
  func.return %0 : tensor<4xf32>
}
