// RUN: qopt %s --pipeline='bnn-c{max-popcounts=6}' | filecheck %s
// RUN: qopt %s --pipeline='bnn-c{max-popcounts=6}' -t c | filecheck %s --check-prefix=C
// RUN: qopt %s --pipeline='bnn-c{max-popcounts=0}' -t c | filecheck %s --check-prefix=PLAIN

// DoReFa: weights of 2 bits, whose zero point lies halfway between two levels, times
// activations of 2 bits. In halves of a level they are odd, -3 .. 3, at half the scale:
// two planes of signs. Each pair of planes is a popcount, weighted 1, 2, 2 and 4.
// CHECK: %[[X:.*]] = qnn.pack %{{.*}} : tensor<1x4xui2> ->
// CHECK: qnn.load @{{.*}} : !qnn.packed<tensor<2x4x!qnn.odd<2>>, word 64, panel 2>
// CHECK: qnn.packed_matmul %[[X]], {{.*}} -> tensor<1x2xsi5>
// C: const int32_t s1 = (int32_t)n0[r] + 2 * (int32_t)n1[r] + 2 * (int32_t)n2[r] + 4 * (int32_t)n3[r];
// PLAIN: model_dot_u8_i8_i32(
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
  %s = qnn.constant <tensor<f32>, [0.33333334]>
  %z = qnn.constant <tensor<f32>, [0.0]>
  %q = qnn.quantize %x, %s, %z rounding half_even : tensor<1x4xf32>, tensor<f32>, tensor<f32> -> tensor<1x4xui2>
  %a = qnn.dequantize %q, %s, %z : tensor<1x4xui2>, tensor<f32>, tensor<f32> -> tensor<1x4xf32>
  %w = qnn.constant <tensor<2x4xui2>, [3, 1, 2, 0, 0, 3, 2, 2]>
  %t = qnn.constant <tensor<f32>, [0.6666667]>
  %u = qnn.constant <tensor<f32>, [1.5]>
  %v = qnn.dequantize %w, %t, %u : tensor<2x4xui2>, tensor<f32>, tensor<f32> -> tensor<2x4xf32>
  %y = qnn.matmul %a, %v : tensor<1x4xf32>, tensor<2x4xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
