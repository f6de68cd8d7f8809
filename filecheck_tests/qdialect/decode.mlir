// RUN: qopt %s | qopt | filecheck %s

// CHECK: qnn.weight @codes = <tensor<2x3xui2>, [0, 1, 2, 2, 1, 0]>
qnn.weight @codes = <tensor<2x3xui2>, [0, 1, 2, 2, 1, 0]>

// CHECK-LABEL: func.func @decode
func.func @decode() -> tensor<2x3xsi8> {
  %codes = qnn.load @codes : tensor<2x3xui2>
  %table = qnn.constant <tensor<3xsi8>, [-90, 0, 17]>
  // CHECK: qnn.decode %codes, %table : tensor<2x3xui2>, tensor<3xsi8> -> tensor<2x3xsi8>
  %w = qnn.decode %codes, %table : tensor<2x3xui2>, tensor<3xsi8> -> tensor<2x3xsi8>
  func.return %w : tensor<2x3xsi8>
}
