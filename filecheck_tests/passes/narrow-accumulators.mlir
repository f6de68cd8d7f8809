// RUN: qopt %s --split-input-file --verify-diagnostics -p narrow-accumulators | filecheck %s

// Rows of two +-1 weights times [0, 3] reach [-6, 6]: si4 holds them.
// CHECK-LABEL: func.func @narrowed
func.func @narrowed(%q: tensor<1x2xui2>) -> tensor<1x2xui1> {
  %w = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, 1, -1, -1]>
  %t = qnn.constant <tensor<2x1xsi4>, [1, 2]>
  // CHECK: qnn.matmul {{.*}} -> tensor<1x2xsi4>
  %0 = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi32>
  // CHECK: qnn.threshold {{.*}} : tensor<1x2xsi4>
  %1 = qnn.threshold %0, %t offset 0 axis 1 : tensor<1x2xsi32>, tensor<2x1xsi4> -> tensor<1x2xui1>
  func.return %1 : tensor<1x2xui1>
}

// -----

// A result keeps its type: it is the function's.
// CHECK-LABEL: func.func @returned
func.func @returned(%q: tensor<1x2xui2>) -> tensor<1x1xsi32> {
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, 1]>
  // CHECK: qnn.matmul {{.*}} -> tensor<1x1xsi32>
  %0 = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<1x2x!qnn.bipolar> -> tensor<1x1xsi32>
  func.return %0 : tensor<1x1xsi32>
}

// -----

// CHECK: narrow-accumulators: qnn.matmul reaches [0, 6], which si3 does not hold
func.func @too_narrow(%q: tensor<1x2xui2>) -> tensor<1x1xsi3> {
  %w = qnn.constant <tensor<1x2x!qnn.bipolar>, [1, 1]>
  %0 = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<1x2x!qnn.bipolar> -> tensor<1x1xsi3>
  func.return %0 : tensor<1x1xsi3>
}

// -----

// What is selected from a narrowed tensor is narrowed with it.
// CHECK-LABEL: func.func @selected
func.func @selected(%q: tensor<1x2xui2>) -> tensor<1x1xui1> {
  %w = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, 1, -1, -1]>
  // CHECK: qnn.matmul {{.*}} -> tensor<1x2xsi4>
  %0 = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi32>
  // CHECK: qnn.topk {{.*}} axis 1 : tensor<1x2xsi4> -> tensor<1x1xsi4>, tensor<1x1xui1>
  %1, %2 = qnn.topk %0 axis 1 : tensor<1x2xsi32> -> tensor<1x1xsi32>, tensor<1x1xui1>
  func.return %2 : tensor<1x1xui1>
}

// -----

// What only moves on its way to a result keeps the result's type.
// CHECK-LABEL: func.func @moved
func.func @moved(%q: tensor<1x2xui2>) -> tensor<1x1xsi32> {
  %w = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, 1, -1, -1]>
  // CHECK: qnn.matmul {{.*}} -> tensor<1x2xsi32>
  %0 = qnn.matmul %q, %w : tensor<1x2xui2>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi32>
  // CHECK: qnn.reshape {{.*}} -> tensor<1x1x2xsi32>
  %1 = qnn.reshape %0 : tensor<1x2xsi32> -> tensor<1x1x2xsi32>
  // CHECK: qnn.topk {{.*}} axis 2 : tensor<1x1x2xsi32> -> tensor<1x1x1xsi32>
  %2, %3 = qnn.topk %1 axis 2 : tensor<1x1x2xsi32> -> tensor<1x1x1xsi32>, tensor<1x1x1xui1>
  %4 = qnn.reshape %2 : tensor<1x1x1xsi32> -> tensor<1x1xsi32>
  func.return %4 : tensor<1x1xsi32>
}
