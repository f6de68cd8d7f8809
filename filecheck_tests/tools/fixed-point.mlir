// RUN: qopt %s --pipeline='bnn-integer{batch-norm=fixed3}' 2>&1 | filecheck %s
// RUN: qopt %s --pipeline='bnn-fpga{batch-norm=fixed3}' -t sv | filecheck %s --check-prefix SV
// RUN: not qopt %s --pipeline='bnn-c{batch-norm=float}' 2>&1 | filecheck %s --check-prefix FORM
// RUN: qopt %s --pipeline='bnn-c{batch-norm=shift}' -t c 2>&1 | filecheck %s --check-prefix SHIFT
// RUN: qopt --pipeline='bnn-c{batch-norm=fixed12 max-table=99}' --print-pipeline | filecheck %s --check-prefix PRINTED

// A pass says what it changed; the record stays with the module.
// CHECK: qopt: fixed-point-batch-norm: batch norm 'bn' in 3-bit fixed point, 3 bits behind the point of k and 2 of h: another level for 1 of 18 accumulator values, in 1 of 2 channels, by 1 at most
// CHECK: builtin.module attributes {qnn.fixed_point_batch_norm = [{node = "bn"
// CHECK: func.func @core
// CHECK: qnn.threshold
// SV: module
// SHIFT: qopt: shift-batch-norm: batch norm 'bn' by shifts, 2**-2: another level for 0 of 18 accumulator values
// FORM: qopt: error: pipeline 'bnn-c': option 'batch-norm': expected exact, shift or fixedN, such as fixed16, got float
// PRINTED: lower-to-integer,fixed-point-batch-norm{bits=12 max_table=99},floor-thresholds{max_table=99}
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %a = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  %b = qnn.dequantize %a, %one, %zero : tensor<1x4x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %w = qnn.constant <tensor<2x4x!qnn.bipolar>, [1, 1, -1, 1, -1, -1, 1, 1]>
  %v = qnn.dequantize %w, %one, %zero : tensor<2x4x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<2x4xf32>
  %c = qnn.matmul %b, %v : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32> loc("fc")
  %gamma = qnn.constant <tensor<2xf32>, [0.3, -0.3]>
  %beta = qnn.constant <tensor<2xf32>, [0.59, 0.31]>
  %mean = qnn.constant <tensor<2xf32>, [0.0, 0.0]>
  %variance = qnn.constant <tensor<2xf32>, [1.0, 1.0]>
  %d = qnn.batch_norm %c, %gamma, %beta, %mean, %variance epsilon 0.0 axis 1 : tensor<1x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32> -> tensor<1x2xf32> loc("bn")
  %e = qnn.sign %d : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  %f = qnn.dequantize %e, %one, %zero : tensor<1x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  func.return %f : tensor<1x2xf32>
}
