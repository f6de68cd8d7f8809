// RUN: qopt %s -p 'prune-weights{threshold=0.9 absolute=true}' | filecheck %s
// RUN: qopt %s -p 'prune-weights{threshold=1}' | filecheck %s --check-prefix SIGMA
// RUN: qopt %s -p 'prune-weights{density=0.25}' | filecheck %s --check-prefix FEW
// RUN: qopt %s -p 'prune-weights{layers=w}' | filecheck %s --check-prefix ONE
// RUN: not qopt %s -p 'prune-weights{density=0}' 2>&1 | filecheck %s --check-prefix RANGE
// RUN: not qopt %s -p 'prune-weights{threshold=-1}' 2>&1 | filecheck %s --check-prefix SIGN
// RUN: not qopt %s -p 'prune-weights{layers=v}' 2>&1 | filecheck %s --check-prefix NAME

// RANGE: prune-weights: density must be above 0 and at most 1, got 0
// SIGN: prune-weights: threshold must not be negative, got -1
// NAME: prune-weights: no layer 'v' has constant weights; those that have: bits, w

// CHECK: layer = "w", by = "prune-weights{threshold=0.9 absolute=true}", scheme = "f32, 25.0% of them 0"
// CHECK-DAG: qnn.weight @w_pruned = <tensor<2x2xf32>, [0.0, -1.0, 1.5, 4.0]>
// Levels count as what they are dequantised to: 0.5 times 1, -1, 2 and -3.
// CHECK-DAG: qnn.weight @bits_pruned = <tensor<2x2xsi3>, [0, 0, 2, -3]>
// The standard deviation of the weights is 1.8.
// SIGMA-DAG: qnn.weight @w_pruned = <tensor<2x2xf32>, [0.0, 0.0, 0.0, 4.0]>
// FEW-DAG: qnn.weight @w_pruned = <tensor<2x2xf32>, [0.0, 0.0, 0.0, 4.0]>
// FEW-DAG: qnn.weight @bits_pruned = <tensor<2x2xsi3>, [0, 0, 0, -3]>
// ONE: qnn.weight @bits = <tensor<2x2xsi3>, [1, -1, 2, -3]>
qnn.weight @w = <tensor<2x2xf32>, [0.5, -1.0, 1.5, 4.0]>
qnn.weight @bits = <tensor<2x2xsi3>, [1, -1, 2, -3]>

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = qnn.load @w : tensor<2x2xf32>
  %0 = qnn.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  %b = qnn.load @bits : tensor<2x2xsi3>
  %s = qnn.constant <tensor<f32>, [0.5]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %v = qnn.dequantize %b, %s, %z : tensor<2x2xsi3>, tensor<f32>, tensor<f32> -> tensor<2x2xf32>
  %1 = qnn.matmul %0, %v : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>
  func.return %1 : tensor<1x2xf32>
}
