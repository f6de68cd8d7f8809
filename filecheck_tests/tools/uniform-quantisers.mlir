// RUN: qopt %s --pipeline=bnn-integer --verify-each | filecheck %s
// RUN: qopt %s --pipeline=bnn-c -t c | filecheck %s --check-prefix C
// RUN: qopt %s --pipeline='bnn-fpga{max-cycles=4}' -t sv | filecheck %s --check-prefix SV

// Quantisers of one product, a rounding mode each. The accumulator counts quarters and
// the levels -2 to 1 are halves, so that every odd count is a tie: the thresholds say
// which way each mode takes it.

// CHECK-LABEL: func.func @core
// CHECK: %q0 = qnn.constant <tensor<2x3xsi3>, [-2, -1, 2, -2, -1, 2]>
// CHECK-NEXT: %q1 = qnn.constant <tensor<2x3xsi3>, [-3, -1, 1, -3, -1, 1]>
// CHECK-NEXT: %q2 = qnn.constant <tensor<2x3xsi3>, [-2, 0, 2, -2, 0, 2]>
// CHECK-NEXT: %q3 = qnn.constant <tensor<2x3xsi2>, [-2, 0, 1, -2, 0, 1]>
// CHECK-NEXT: %q4 = qnn.constant <tensor<2x3xsi3>, [-3, -1, 2, -3, -1, 2]>
// CHECK-NEXT: %q5 = qnn.constant <tensor<2x3xsi2>, [-2, 0, 1, -2, 0, 1]>
// CHECK-NEXT: %q6 = qnn.constant <tensor<2x3xsi3>, [-3, -1, 2, -3, -1, 2]>
// CHECK-NEXT: %c = qnn.matmul %a, %w : tensor<1x4xsi5>, tensor<2x4xsi3> -> tensor<1x2xsi8>
// CHECK-COUNT-7: qnn.threshold %c
// CHECK-NOT: f32
// C: uint32_t
// SV: module
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %half = qnn.constant <tensor<f32>, [0.5]>
  %quarter = qnn.constant <tensor<f32>, [0.25]>
  %a = qnn.quantize %x, %one, %zero rounding half_even : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi5>
  %b = qnn.dequantize %a, %quarter, %zero : tensor<1x4xsi5>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %w = qnn.constant <tensor<2x4xsi3>, [1, 1, -2, 3, 2, -1, 0, 1]>
  %v = qnn.dequantize %w, %one, %zero : tensor<2x4xsi3>, tensor<f32>, tensor<f32> -> tensor<2x4xf32>
  %c = qnn.matmul %b, %v : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32> loc("fc")
  %q0 = qnn.quantize %c, %half, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y0 = qnn.dequantize %q0, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q1 = qnn.quantize %c, %half, %zero rounding ceil : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y1 = qnn.dequantize %q1, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q2 = qnn.quantize %c, %half, %zero rounding floor : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y2 = qnn.dequantize %q2, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q3 = qnn.quantize %c, %half, %zero rounding up : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y3 = qnn.dequantize %q3, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q4 = qnn.quantize %c, %half, %zero rounding down : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y4 = qnn.dequantize %q4, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q5 = qnn.quantize %c, %half, %zero rounding half_up : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y5 = qnn.dequantize %q5, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q6 = qnn.quantize %c, %half, %zero rounding half_down : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi2>
  %y6 = qnn.dequantize %q6, %half, %zero : tensor<1x2xsi2>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  func.return %y0, %y1, %y2, %y3, %y4, %y5, %y6 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
