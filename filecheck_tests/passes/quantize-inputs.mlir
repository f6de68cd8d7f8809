// RUN: qopt %s -p quantize-inputs | filecheck %s
// RUN: qopt %s -p 'quantize-inputs{bits=16 fraction=8}' | filecheck %s --check-prefix=NARROW

// A raw input of a product is rounded to multiples of 2**-24.
// CHECK-LABEL: func.func @raw
// NARROW-LABEL: func.func @raw
func.func @raw(%x: tensor<1x2xf32>) -> tensor<1x3xf32> {
  %w = qnn.constant <tensor<3x2xf32>, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]>
  // CHECK: %[[S:.*]] = qnn.constant <tensor<f32>, [5.9604645e-08]>
  // CHECK: qnn.quantize %x, %[[S]], %{{.*}} rounding half_even : {{.*}} -> tensor<1x2xsi32>
  // CHECK: qnn.dequantize
  // NARROW: qnn.constant <tensor<f32>, [0.00390625]>
  // NARROW: qnn.quantize {{.*}} -> tensor<1x2xsi16>
  // CHECK: qnn.matmul
  %0 = qnn.matmul %x, %w : tensor<1x2xf32>, tensor<3x2xf32> -> tensor<1x3xf32>
  func.return %0 : tensor<1x3xf32>
}

// An input that a quantiser reads first is left alone.
// CHECK-LABEL: func.func @quantised
func.func @quantised(%x: tensor<1x2xf32>) -> tensor<1x2x!qnn.bipolar> {
  // CHECK-NOT: qnn.quantize
  // CHECK: qnn.sign %x
  %0 = qnn.sign %x : tensor<1x2xf32> -> tensor<1x2x!qnn.bipolar>
  func.return %0 : tensor<1x2x!qnn.bipolar>
}
