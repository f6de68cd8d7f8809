// RUN: qopt %s -p drop-unused-weights | filecheck %s

// CHECK: qnn.weight @read
// CHECK-NOT: qnn.weight @unread
qnn.weight @read = <tensor<2xsi4>, [1, 2]>
qnn.weight @unread = <tensor<2xsi4>, [1, 2]>
// Codes that are decoded for no reader go too.
// CHECK-NOT: qnn.weight @codes
qnn.weight @codes = <tensor<2xui1>, [0, 1]>
// CHECK: func.func @main
// CHECK-NOT: qnn.decode
func.func @main() -> tensor<2xsi4> {
  %codes = qnn.load @codes : tensor<2xui1>
  %table = qnn.constant <tensor<2xsi4>, [3, 4]>
  %decoded = qnn.decode %codes, %table : tensor<2xui1>, tensor<2xsi4> -> tensor<2xsi4>
  %0 = qnn.load @read : tensor<2xsi4>
  func.return %0 : tensor<2xsi4>
}
