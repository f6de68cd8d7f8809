// RUN: %roundtrip
// RUN: %generic
// RUN: qopt %s --pipeline=bnn-integer --verify-each | filecheck %s --check-prefix INTEGER

// CHECK-LABEL: func.func @main
// CHECK: qnn.prelu %c, %s : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
// CHECK: qnn.hard_swish %c : tensor<1x2xf32> -> tensor<1x2xf32>
// CHECK: qnn.silu %c : tensor<1x2xf32> -> tensor<1x2xf32>
// CHECK: qnn.softplus %c : tensor<1x2xf32> -> tensor<1x2xf32>
// CHECK: qnn.gelu %c : tensor<1x2xf32> -> tensor<1x2xf32>
// CHECK: qnn.elu %c alpha 5.000000e-01 : tensor<1x2xf32> -> tensor<1x2xf32>

// A function that rises is thresholds, another is a table.
// INTEGER-LABEL: func.func @core
// INTEGER: qnn.matmul
// INTEGER-NEXT: qnn.lookup
// INTEGER-NEXT: qnn.lookup
// INTEGER-NEXT: qnn.lookup
// INTEGER-NEXT: qnn.threshold
// INTEGER-NEXT: qnn.lookup
// INTEGER-NEXT: qnn.threshold
func.func @main(%x: tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %quarter = qnn.constant <tensor<f32>, [0.25]>
  %step = qnn.constant <tensor<f32>, [0.0625]>
  %s = qnn.constant <tensor<2xf32>, [0.25, -0.5]>
  %a = qnn.quantize %x, %one, %zero rounding half_even : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xsi3>
  %b = qnn.dequantize %a, %quarter, %zero : tensor<1x4xsi3>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %w = qnn.constant <tensor<2x4xsi3>, [1, 1, -2, 3, 2, -1, 0, 1]>
  %v = qnn.dequantize %w, %one, %zero : tensor<2x4xsi3>, tensor<f32>, tensor<f32> -> tensor<2x4xf32>
  %c = qnn.matmul %b, %v : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32>
  %f0 = qnn.prelu %c, %s : tensor<1x2xf32>, tensor<2xf32> -> tensor<1x2xf32>
  %f1 = qnn.hard_swish %c : tensor<1x2xf32> -> tensor<1x2xf32>
  %f2 = qnn.silu %c : tensor<1x2xf32> -> tensor<1x2xf32>
  %f3 = qnn.softplus %c : tensor<1x2xf32> -> tensor<1x2xf32>
  %f4 = qnn.gelu %c : tensor<1x2xf32> -> tensor<1x2xf32>
  %f5 = qnn.elu %c alpha 0.5 : tensor<1x2xf32> -> tensor<1x2xf32>
  %q0 = qnn.quantize %f0, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y0 = qnn.dequantize %q0, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q1 = qnn.quantize %f1, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y1 = qnn.dequantize %q1, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q2 = qnn.quantize %f2, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y2 = qnn.dequantize %q2, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q3 = qnn.quantize %f3, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y3 = qnn.dequantize %q3, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q4 = qnn.quantize %f4, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y4 = qnn.dequantize %q4, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %q5 = qnn.quantize %f5, %step, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xsi5>
  %y5 = qnn.dequantize %q5, %step, %zero : tensor<1x2xsi5>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  func.return %y0, %y1, %y2, %y3, %y4, %y5 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
