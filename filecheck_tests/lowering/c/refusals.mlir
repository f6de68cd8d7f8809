// RUN: not qopt %s -t c 2>&1 | filecheck %s --check-prefix=REAL
// RUN: not qopt %s -t 'c{prefix="1st"}' 2>&1 | filecheck %s --check-prefix=PREFIX
// RUN: not qopt %s -p outline-core -t c 2>&1 | filecheck %s --check-prefix=WIDE

// One line each, with the place and what is taken.

// REAL: refusals.mlir:{{[0-9]+}}:{{[0-9]+}}: error: {{.*}}elements are f32, expected integer levels; run the pipeline bnn-c
// PREFIX: prefix must be a letter, then letters, digits or _, got '1st'
// WIDE: sums up to {{[0-9]+}} need more than 64 bits
func.func @main(%x: tensor<1x3xf32>) -> tensor<1x1xf32> {
  %s = qnn.constant <tensor<f32>, [1.0]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %q = qnn.quantize %x, %s, %z rounding half_even : tensor<1x3xf32>, tensor<f32>, tensor<f32> -> tensor<1x3xsi62>
  %w = qnn.constant <tensor<1x3xsi4>, [3, 3, 3]>
  %0 = qnn.matmul %q, %w : tensor<1x3xsi62>, tensor<1x3xsi4> -> tensor<1x1xsi64>
  %y = qnn.dequantize %0, %s, %z : tensor<1x1xsi64>, tensor<f32>, tensor<f32> -> tensor<1x1xf32>
  func.return %y : tensor<1x1xf32>
}
