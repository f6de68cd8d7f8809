// RUN: qopt %s --split-input-file -t c | filecheck %s
// RUN: qopt %s --split-input-file -t 'c{decode=load}' | filecheck %s --check-prefix LOAD
// RUN: not qopt %s --split-input-file -t 'c{decode=late}' 2>&1 | filecheck %s --check-prefix LATE

// LATE: target c: decode must be fly or load, got late

// A product of one vector decodes a row of Huffman code words before it needs it.
// CHECK: #define MODEL_ARENA_BYTES 8
// CHECK: static const MODEL_CONST uint8_t model_c0[4] = {
// CHECK: static const MODEL_CONST int8_t [[VALUES:model_c[0-9]+]][3] = {
// CHECK-NEXT: 0, 1, 2,
// CHECK: static const MODEL_CONST uint16_t [[NUMBERS:model_c[0-9]+]][2] = {
// CHECK-NEXT: 0x0000, 0xffff,
// CHECK: struct model_reader {
// CHECK: static inline uint32_t [[WORD:model_next_word_[0-9_]+]](struct model_reader *from)
// CHECK: length += (uint32_t)(bits > 32767u);
// CHECK: return ([[NUMBERS]][length - 1u] + (bits >> (16u - length))) & 0xffffu;
// CHECK: static void [[DECODE:model_decode_[a-z0-9_]+]](struct model_reader *from, int8_t *out,
// CHECK: out[i] = (int8_t)([[VALUES]][[[WORD]](&at)]);
// CHECK: struct model_reader coded = {model_c0, 0, 0};
// CHECK-NEXT: for (uint32_t c = 0; c < 2u; ++c) {
// CHECK-NEXT: [[DECODE]](&coded, weights, 4u);
// CHECK-NEXT: model_dot_u8_i8_i32(x0, weights, 4u);

// With decode=load all are decoded by a function of the library.
// LOAD: #define MODEL_LOADED_BYTES 8
// LOAD: void model_load(void);
// LOAD: static int8_t model_w0[8];
// LOAD: model_dot_u8_i8_i32(x0, model_w0 + c * 4u, 4u);
// LOAD: void model_load(void)
// LOAD: struct model_reader from0 = {model_c0, 0, 0};
// LOAD: (&from0, model_w0, 8u);
// LOAD: model_load();
qnn.weight @w = #qnn.coded<tensor<2x4xsi3>, values huffman "010202", "0b00">
func.func @core(%x: tensor<1x4xui2>) -> tensor<1x2xsi8> {
  %w = qnn.load @w : tensor<2x4xsi3>
  %0 = qnn.matmul %x, %w : tensor<1x4xui2>, tensor<2x4xsi3> -> tensor<1x2xsi8>
  func.return %0 : tensor<1x2xsi8>
}

// -----

// Several vectors read all weights, which are decoded once; codes are looked up in the
// table.
// CHECK: MODEL_ARENA_BYTES 8
// CHECK: static const MODEL_CONST int16_t [[TABLE:model_c[0-9]+]][3] = {
// CHECK-NEXT: -300, 0, 5,
// CHECK: out[i] = (int16_t)([[TABLE]][model_next_bits(&at, 2u)]);
// CHECK: (&coded, weights, 4u);
// CHECK-NEXT: for (uint32_t i0 = 0; i0 < 3u; ++i0) {
func.func @core(%x: tensor<3x2xui2>) -> tensor<3x2xsi16> {
  %c = qnn.constant <tensor<2x2xui2>, [0, 2, 1, 2]>
  %t = qnn.constant <tensor<3xsi10>, [-300, 0, 5]>
  %w = qnn.decode %c, %t : tensor<2x2xui2>, tensor<3xsi10> -> tensor<2x2xsi10>
  %0 = qnn.matmul %x, %w : tensor<3x2xui2>, tensor<2x2xsi10> -> tensor<3x2xsi16>
  func.return %0 : tensor<3x2xsi16>
}
