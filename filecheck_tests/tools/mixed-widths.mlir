// RUN: qopt %s --pipeline=bnn-integer --verify-each | filecheck %s
// RUN: qopt %s --pipeline='bnn-c{max-popcounts=8}' | filecheck %s --check-prefix PACKED
// RUN: qopt %s --pipeline=bnn-integer -p convert-to-qflow | filecheck %s --check-prefix STREAMS

// Signs between two layers of 8 bits, with 3-bit activations, as in Tincy YOLO: each
// layer keeps its widths, and each is lowered for itself.

// CHECK-LABEL: func.func @core
// CHECK: %a = qnn.matmul %{{.*}} : tensor<1x2xui8>, tensor<2x2xsi8> -> tensor<1x2xsi16>
// CHECK: %b = qnn.matmul %{{.*}} : tensor<1x2xui3>, tensor<2x2x!qnn.bipolar> -> tensor<1x2xsi5>
// CHECK: %c = qnn.matmul %{{.*}} : tensor<1x2xui3>, tensor<1x2xsi8> -> tensor<1x1xsi11>
// CHECK-NOT: f32

// PACKED-LABEL: func.func @core
// PACKED: %a = qnn.matmul
// PACKED: %b = qnn.packed_matmul
// PACKED: %c = qnn.matmul

// STREAMS-COUNT-3: qflow.mvu
// STREAMS-NOT: qflow.mvu
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %one = qnn.constant <tensor<f32>, [1.0]>
  %zero = qnn.constant <tensor<f32>, [0.0]>
  %wide = qnn.constant <tensor<f32>, [2048.0]>
  %0 = qnn.quantize %x, %one, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xui8>
  %1 = qnn.dequantize %0, %one, %zero : tensor<1x2xui8>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %w1 = qnn.constant <tensor<2x2xsi8>, [100, -27, -90, 77]>
  %v1 = qnn.dequantize %w1, %one, %zero : tensor<2x2xsi8>, tensor<f32>, tensor<f32> -> tensor<2x2xf32>
  %a = qnn.matmul %1, %v1 : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("first")
  %2 = qnn.quantize %a, %wide, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xui3>
  %3 = qnn.dequantize %2, %one, %zero : tensor<1x2xui3>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %w2 = qnn.constant <tensor<2x2x!qnn.bipolar>, [1, -1, 1, 1]>
  %v2 = qnn.dequantize %w2, %one, %zero : tensor<2x2x!qnn.bipolar>, tensor<f32>, tensor<f32> -> tensor<2x2xf32>
  %b = qnn.matmul %3, %v2 : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32> loc("body")
  %4 = qnn.quantize %b, %one, %zero rounding half_even : tensor<1x2xf32>, tensor<f32>, tensor<f32> -> tensor<1x2xui3>
  %5 = qnn.dequantize %4, %one, %zero : tensor<1x2xui3>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %w3 = qnn.constant <tensor<1x2xsi8>, [127, -64]>
  %v3 = qnn.dequantize %w3, %one, %zero : tensor<1x2xsi8>, tensor<f32>, tensor<f32> -> tensor<1x2xf32>
  %c = qnn.matmul %5, %v3 : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32> loc("last")
  func.return %c : tensor<1x1xf32>
}
