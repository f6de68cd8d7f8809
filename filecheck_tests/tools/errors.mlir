// RUN: qopt %s --split-input-file --verify-diagnostics | filecheck %s

// One line for each part, with the line in the whole file.
// CHECK: {{.*}}errors.mlir:7:3: error: op 'qnn.relu': operand and result must have the same shape, got [1, 4] and [1, 5]
// CHECK-NOT: builtin.module
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x5xf32> {
  %y = qnn.relu %x : tensor<1x4xf32> -> tensor<1x5xf32>
  func.return %y : tensor<1x5xf32>
}

// -----

// CHECK: {{.*}}errors.mlir:15:3: error: no operation 'qnn.rely'; did you mean 'qnn.relu'?
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %y = qnn.rely %x : tensor<1x4xf32> -> tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}

// -----

// A part without a mistake is printed.
// CHECK: builtin.module
// CHECK: func.func @right
func.func @right(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  func.return %x : tensor<1x4xf32>
}

// -----

// CHECK: {{.*}}errors.mlir: error: op 'qnn.relu' (node 'act'): operand %z is not defined before its use
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %y = qnn.relu %z : tensor<1x4xf32> -> tensor<1x4xf32> loc("act")
  %z = qnn.relu %x : tensor<1x4xf32> -> tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}
