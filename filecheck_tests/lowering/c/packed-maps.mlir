// RUN: qopt %s -p 'bitpack{word-bits=8 max-popcounts=8}' -t c | filecheck %s

// A padded bipolar convolution, its thresholds and the packing in one step; words of
// padding read as -1, and what they add is added again, a row of sums for each class.

// CHECK: /* what windows add that stand on padding */
// CHECK-NEXT: static const MODEL_CONST int8_t model_c{{[0-9]+}}[2] = {
// CHECK: /* classes of windows */
// CHECK-NEXT: static const MODEL_CONST uint8_t model_c{{[0-9]+}}[4] = {

// CHECK: /* packed_conv -> threshold -> pack */
// CHECK-NEXT: static void model_step1(const uint8_t *x0, uint8_t *window, uint8_t *y)
// CHECK: for (uint32_t i1 = 0; i1 < 4u; ++i1) {
// CHECK: const int8_t *const pad = model_c{{[0-9]+}} + model_c{{[0-9]+}}[i1];
// CHECK: for (uint32_t t0 = 0; t0 < 2u; ++t0) {
// CHECK: const uint32_t p0 = i1 + t0 - 1u;
// CHECK: if (p0 < 4u) {
// CHECK: to[0u] = from[0u];
// CHECK: } else {
// CHECK: to[0u] = 0;
// CHECK: model_xor_u8_r1(window, w, 2u, n0);
// CHECK: (int32_t)pad[c] + (-2) * s0

// The OR of words, and the next product reads them as they stand.
// CHECK: /* packed_max_pool */
// CHECK: to[n] = (uint8_t)(to[n] | from[n]);
// CHECK: /* packed_matmul */
func.func @core(%q: tensor<1x4x8x!qnn.bipolar>) -> tensor<1x1xsi6> {
  %w = qnn.constant <tensor<1x2x8x!qnn.bipolar>, [1, -1, 1, 1, 1, 1, -1, 1, 1, 1, 1, -1, 1, 1, 1, 1]>
  %c = qnn.conv %q, %w strides [1] pads [1, 0] dilations [1] groups 1 channels_last : tensor<1x4x8x!qnn.bipolar>, tensor<1x2x8x!qnn.bipolar> -> tensor<1x4x1xsi6>
  %t = qnn.constant <tensor<1x1xsi3>, [1]>
  %b = qnn.threshold %c, %t offset 0 axis 2 : tensor<1x4x1xsi6>, tensor<1x1xsi3> -> tensor<1x4x1x!qnn.bipolar>
  %v = qnn.constant <tensor<8x1x1x!qnn.bipolar>, [1, -1, 1, 1, 1, 1, -1, 1]>
  %d = qnn.conv %b, %v strides [1] pads [0, 0] dilations [1] groups 1 channels_last : tensor<1x4x1x!qnn.bipolar>, tensor<8x1x1x!qnn.bipolar> -> tensor<1x4x8xsi2>
  %u = qnn.constant <tensor<8x1xsi2>, [0, 1, 0, 0, 0, 1, 1, 0]>
  %e = qnn.threshold %d, %u offset 0 axis 2 : tensor<1x4x8xsi2>, tensor<8x1xsi2> -> tensor<1x4x8x!qnn.bipolar>
  %p = qnn.max_pool %e kernel [2] strides [2] pads [0, 0] dilations [1] channels_last : tensor<1x4x8x!qnn.bipolar> -> tensor<1x2x8x!qnn.bipolar>
  %f = qnn.reshape %p : tensor<1x2x8x!qnn.bipolar> -> tensor<1x16x!qnn.bipolar>
  %m = qnn.constant <tensor<1x16x!qnn.bipolar>, [1, 1, 1, 1, -1, -1, -1, -1, 1, -1, 1, -1, 1, -1, 1, -1]>
  %r = qnn.matmul %f, %m : tensor<1x16x!qnn.bipolar>, tensor<1x16x!qnn.bipolar> -> tensor<1x1xsi6>
  func.return %r : tensor<1x1xsi6>
}
