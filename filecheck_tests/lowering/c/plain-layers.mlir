// RUN: qopt %s -t c | filecheck %s

// Integers of several bits: products with the accumulator their weights prove enough,
// thresholds by comparison or bisection, tables, a residual, and the arg max.

// CHECK: void model_run(const uint8_t *in, uint8_t *out0, int16_t *out1);

// CHECK: static inline int32_t model_dot_u8_i8_i32(const uint8_t *x,
// CHECK: sum += (int32_t)x[i] * (int32_t)w[i];
// CHECK: static inline uint32_t model_count_i16_i32(const int16_t *t, uint32_t steps,
// CHECK: reached += (uint32_t)(x >= t[i]);
// CHECK: static inline uint32_t model_search_i8_i32(const int8_t *t, uint32_t steps,

// CHECK: /* matmul -> threshold (from fc1) */
// CHECK: model_dot_u8_i8_i32(x0, model_c0 + c * 2u, 2u);
// CHECK: model_count_i16_i32(model_c1 + c * 3u, 3u, sum0)
// CHECK: /* matmul -> add -> lookup -> threshold */
// CHECK: const int32_t v1 = sum0 + (int32_t)x0[c];
// CHECK-NEXT: const int32_t v2 = (int32_t)model_c3[(uint32_t)(v1 - (-20))];
// CHECK-NEXT: const int32_t v3 = (-8) + (int32_t)(model_search_i8_i32(model_c4, 17u, v2));
// CHECK-NEXT: y[c] = (int16_t)v3;
// CHECK: /* topk */
// CHECK: while (p > 0u && v > best[p - 1u]) {
func.func @core(%q: tensor<1x2xui8>) -> (tensor<1x1xui1>, tensor<1x2xsi16>) {
  %w = qnn.constant <tensor<2x2xsi8>, [1, -128, 127, 3]>
  %0 = qnn.matmul %q, %w : tensor<1x2xui8>, tensor<2x2xsi8> -> tensor<1x2xsi17> loc("fc1")
  %t = qnn.constant <tensor<2x3xsi17>, [-300, 0, 300, 1, 2, 3]>
  %1 = qnn.threshold %0, %t offset 0 axis 1 : tensor<1x2xsi17>, tensor<2x3xsi17> -> tensor<1x2xui2>
  %v = qnn.constant <tensor<2x2xsi3>, [1, -1, 3, -4]>
  %2 = qnn.matmul %1, %v : tensor<1x2xui2>, tensor<2x2xsi3> -> tensor<1x2xsi5>
  %3 = qnn.add %2, %1 : tensor<1x2xsi5>, tensor<1x2xui2> -> tensor<1x2xsi6>
  %table = qnn.constant <tensor<2x40xsi8>, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627">
  %4 = qnn.lookup %3, %table low -20 axis 1 : tensor<1x2xsi6>, tensor<2x40xsi8> -> tensor<1x2xsi8>
  %s = qnn.constant <tensor<2x17xsi8>, "000102030405060708090a0b0c0d0e0f10000102030405060708090a0b0c0d0e0f10">
  %5 = qnn.threshold %4, %s offset -8 axis 1 : tensor<1x2xsi8>, tensor<2x17xsi8> -> tensor<1x2xsi16>
  %values, %indices = qnn.topk %5 axis 1 : tensor<1x2xsi16> -> tensor<1x1xsi16>, tensor<1x1xui1>
  func.return %indices, %5 : tensor<1x1xui1>, tensor<1x2xsi16>
}
