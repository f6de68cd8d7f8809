// RUN: qopt %s -t c | filecheck %s

// Maps of integers: a pool and what follows it in one loop, many channels at once; what
// only moves elements reads each of them where it stands.

// CHECK: void model_run(const uint8_t *in, uint8_t *out0, uint16_t *out1);

// The window that hangs over the upper edge begins with its second row.
// CHECK: /* max_pool -> threshold (from pool1) */
// CHECK: for (uint32_t i1 = 0; i1 < 2u; ++i1) {
// CHECK-NEXT: const uint32_t t0_first = i1 * 2u < 1u ? 1u - i1 * 2u : 0u;
// CHECK: uint8_t best[3];
// CHECK: for (uint32_t t0 = t0_first; t0 < 2u; ++t0) {
// CHECK-NEXT: for (uint32_t t1 = 0u; t1 < 4u; ++t1) {
// CHECK-NEXT: const uint8_t *const x = x0 + (i1 * 2u + t0 - 1u) * 12u + t1 * 3u;
// CHECK: best[n] = x[n] > best[n] ? x[n] : best[n];

// CHECK: /* slice */
// CHECK: x0[(i1 + 1u) * 12u + (i2 * 3u) * 3u + i3];
// CHECK: /* concat -> add */
// CHECK: const int32_t v0 = (int32_t)x0[i1 * 6u + i2 * 3u + i3] + 7;
// CHECK-NEXT: y[i1 * 12u + i2 * 6u + i3] =
// CHECK: const int32_t v1 = (int32_t)x0[i1 * 6u + i2 * 3u + i3] + 7;
// CHECK-NEXT: y[i1 * 12u + i2 * 6u + (i3 + 3u)] =
func.func @core(%q: tensor<1x3x4x3xui8>) -> (tensor<1x2x1x3xui2>, tensor<1x2x2x6xui9>) {
  %0 = qnn.max_pool %q kernel [2, 4] strides [2, 1] pads [1, 0, 0, 0] dilations [1, 1] channels_last : tensor<1x3x4x3xui8> -> tensor<1x2x1x3xui8> loc("pool1")
  %t = qnn.constant <tensor<3x3xui8>, [1, 2, 3, 4, 5, 6, 7, 8, 9]>
  %1 = qnn.threshold %0, %t offset 0 axis 3 : tensor<1x2x1x3xui8>, tensor<3x3xui8> -> tensor<1x2x1x3xui2>
  %2 = qnn.slice %q offsets [0, 1, 0, 0] steps [1, 1, 3, 1] : tensor<1x3x4x3xui8> -> tensor<1x2x2x3xui8>
  %3 = qnn.concat %2, %2 axis 3 : tensor<1x2x2x3xui8>, tensor<1x2x2x3xui8> -> tensor<1x2x2x6xui8>
  %seven = qnn.constant <tensor<ui8>, [7]>
  %4 = qnn.add %3, %seven : tensor<1x2x2x6xui8>, tensor<ui8> -> tensor<1x2x2x6xui9>
  func.return %1, %4 : tensor<1x2x1x3xui2>, tensor<1x2x2x6xui9>
}
