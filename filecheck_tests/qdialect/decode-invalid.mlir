// RUN: qopt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

// CHECK: op 'qnn.decode': `codes` must be a qnn.constant or a qnn.load
func.func @f(%codes: tensor<2xui1>) {
  %t = qnn.constant <tensor<2xsi8>, [1, 2]>
  %0 = qnn.decode %codes, %t : tensor<2xui1>, tensor<2xsi8> -> tensor<2xsi8>
  func.return
}

// -----

// CHECK: op 'qnn.decode': `codes` must be uiN, got si2
func.func @f() {
  %c = qnn.constant <tensor<2xsi2>, [1, 0]>
  %t = qnn.constant <tensor<2xsi8>, [1, 2]>
  %0 = qnn.decode %c, %t : tensor<2xsi2>, tensor<2xsi8> -> tensor<2xsi8>
  func.return
}

// -----

// CHECK: op 'qnn.decode': `table` of codes ui1 must have shape [R] with R from 1 to 2, got [3]
func.func @f() {
  %c = qnn.constant <tensor<2xui1>, [1, 0]>
  %t = qnn.constant <tensor<3xsi8>, [1, 2, 3]>
  %0 = qnn.decode %c, %t : tensor<2xui1>, tensor<3xsi8> -> tensor<2xsi8>
  func.return
}

// -----

// CHECK: op 'qnn.decode': code 3 names none of 3 entries
func.func @f() {
  %c = qnn.constant <tensor<2xui2>, [1, 3]>
  %t = qnn.constant <tensor<3xsi8>, [1, 2, 3]>
  %0 = qnn.decode %c, %t : tensor<2xui2>, tensor<3xsi8> -> tensor<2xsi8>
  func.return
}

// -----

// CHECK: op 'qnn.decode': `out` must be tensor<2xsi8>, got tensor<2xsi9>
func.func @f() {
  %c = qnn.constant <tensor<2xui2>, [1, 2]>
  %t = qnn.constant <tensor<3xsi8>, [1, 2, 3]>
  %0 = qnn.decode %c, %t : tensor<2xui2>, tensor<3xsi8> -> tensor<2xsi9>
  func.return
}
