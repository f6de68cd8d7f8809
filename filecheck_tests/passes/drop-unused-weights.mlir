// RUN: qopt %s -p drop-unused-weights | filecheck %s

// CHECK: qnn.weight @read
// CHECK-NOT: qnn.weight @unread
qnn.weight @read = <tensor<2xsi4>, [1, 2]>
qnn.weight @unread = <tensor<2xsi4>, [1, 2]>
func.func @main() -> tensor<2xsi4> {
  %0 = qnn.load @read : tensor<2xsi4>
  func.return %0 : tensor<2xsi4>
}
