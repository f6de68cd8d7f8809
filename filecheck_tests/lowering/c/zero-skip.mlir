// RUN: qopt %s -t 'c{max-density=1.0}' | filecheck %s
// RUN: qopt %s -t 'c{max-density=0.4}' | filecheck %s --check-prefix=SOME
// RUN: not qopt %s -t 'c{machine=z80}' 2>&1 | filecheck %s --check-prefix=MACHINE

// MACHINE: target c: machine must be one of scalar, portable, avx2, avx512, got z80

// Weights of one magnitude are two lists of columns, others a list with values.
// CHECK: /* columns of the weights that are not 0, 2 of 2 x 4 */
// CHECK-NEXT: model_c0[2] = {
// CHECK-NEXT: 0x03, 0x01,
// CHECK: /* lengths of the lists */
// CHECK-NEXT: model_c1[4] = {
// CHECK-NEXT: 0x01, 0x00, 0x00, 0x01,
// CHECK: /* columns of the weights that are not 0, 4 of 1 x 8 */
// CHECK: /* their values, si8 */
// CHECK-NEXT: model_c3[4] = {
// CHECK-NEXT: 5, -7, 100, 1,
// CHECK: sum += (int32_t)x[*i++];
// CHECK: sum -= (int32_t)x[*i++];
// CHECK: sum += (int32_t)x[*i++] * (int32_t)*v++;
// CHECK: const int32_t sum0 = model_columns_i8_u8_signs_i32(x0, &at, model_c1[2u * c], model_c1[2u * c + 1u]);
// CHECK: const int32_t sum0 = model_columns_i8_u8_i8_i32(x0, &at, &w, model_c4[c]);

// The second half of the weights of the other product is not 0.
// SOME: of the weights that are not 0, 2 of 2 x 4
// SOME-NOT: that are not 0
// SOME: model_dot_i8_i8_i32
func.func @core(%q: tensor<1x4xsi8>, %p: tensor<1x8xsi8>) -> (tensor<1x2xsi9>, tensor<1x1xsi16>) {
  %t = qnn.constant <tensor<2x4x!qnn.ternary>, [0, 0, 0, 1, 0, -1, 0, 0]>
  %0 = qnn.matmul %q, %t : tensor<1x4xsi8>, tensor<2x4x!qnn.ternary> -> tensor<1x2xsi9>
  %w = qnn.constant <tensor<1x8xsi8>, [5, 0, 0, -7, 100, 0, 0, 1]>
  %1 = qnn.matmul %p, %w : tensor<1x8xsi8>, tensor<1x8xsi8> -> tensor<1x1xsi16>
  func.return %0, %1 : tensor<1x2xsi9>, tensor<1x1xsi16>
}
