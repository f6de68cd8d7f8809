// RUN: qopt %s -p 'bitpack{max-popcounts=8}' -t c | filecheck %s
// RUN: qopt %s -p 'bitpack{max-popcounts=8}' -t 'c{prefix=net main=true}' | filecheck %s --check-prefix=NET

// Two layers on packed words: sums, thresholds and packing in one step.

// CHECK: /* ---- model.h ---- */
// CHECK: #define MODEL_IN_LEN 3
// CHECK-NEXT: #define MODEL_IN_TYPE int8_t
// CHECK: #define MODEL_OUT_LEN 1
// CHECK: #define MODEL_ARENA_BYTES 16
// CHECK: void model_run(const int8_t *in, int8_t *out);
// CHECK: void model_run_in(void *arena, const int8_t *in, int8_t *out);

// CHECK: /* ---- model.c ---- */
// CHECK: /* weights 2 x 3 of !qnn.bipolar */
// CHECK-NEXT: static const MODEL_CONST uint64_t model_c0[2] = {
// CHECK-NEXT: 0x0000000000000005, 0x0000000000000006,

// K - 2 * popcount >= t is s <= (K - t) / 2: the constants hold that, complemented.
// The second channel falls: of ~s only the first changes its sign.
// CHECK: static const MODEL_CONST int8_t model_c1[2] = {
// CHECK-NEXT: -1, 0,
// CHECK: static const MODEL_CONST int8_t model_c2[2] = {
// CHECK-NEXT: -2, 2,

// CHECK: /* pack */
// CHECK: static void model_step0(const int8_t *x0, uint64_t *y)
// CHECK: bits0 |= (uint64_t)(uint32_t)(x0[i1] > 0) << (i1 % 64u);
// CHECK: y[0u] = bits0;

// CHECK: /* packed_matmul -> threshold -> pack */
// CHECK: static void model_step1(const uint64_t *x0, uint64_t *y)
// CHECK: for (uint32_t h = 0; h < 2u; h += 2u) {
// CHECK: model_xor_u64_r2(x0, w, 1u, n0);
// CHECK: const int32_t s0 = (int32_t)n0[r];
// CHECK: bits0 |= (uint64_t)(uint32_t)((s0 ^ model_c1[c]) >= model_c2[c]) << (c % 64u);

// CHECK: /* packed_matmul */
// CHECK: model_weight_mask_u64_r1(x0, w, w + 1, 1u, n0);

// CHECK: void model_run_in(void *arena, const int8_t *in, int8_t *out)
// CHECK: model_step0(in, memory->u64);
// CHECK-NEXT: model_step1(memory->u64, memory->u64 + 1);
// CHECK-NEXT: model_step2(memory->u64 + 1, out);

// NET: #ifndef NET_H
// NET: void net_run(const int8_t *in, int8_t *out);
// NET: /* ---- net_main.c ---- */
// NET: net_run(in, out);
func.func @core(%q: tensor<1x3x!qnn.bipolar>) -> tensor<1x1xsi3> {
  %w = qnn.constant <tensor<2x3x!qnn.bipolar>, [1, -1, 1, -1, 1, 1]>
  %0 = qnn.matmul %q, %w : tensor<1x3x!qnn.bipolar>, tensor<2x3x!qnn.bipolar> -> tensor<1x2xsi3>
  %t = qnn.constant <tensor<2x1xsi3>, [1, 1]>
  %f = qnn.constant <tensor<2xui1>, [0, 1]>
  %1 = qnn.threshold %0, %t falling %f : tensor<2xui1> offset 0 axis 1 : tensor<1x2xsi3>, tensor<2x1xsi3> -> tensor<1x2x!qnn.bipolar>
  %v = qnn.constant <tensor<1x2x!qnn.ternary>, [0, -1]>
  %2 = qnn.matmul %1, %v : tensor<1x2x!qnn.bipolar>, tensor<1x2x!qnn.ternary> -> tensor<1x1xsi3>
  func.return %2 : tensor<1x1xsi3>
}
