// RUN: qopt %s -p 'convert-qflow-to-hw{prefix=net}' -t circt | filecheck %s

// What CIRCT reads: its own operations, and nothing of our dialects. Functions of the host
// and memory images are left out.
// CHECK-NOT: func.func
// CHECK: hw.module @net_lookup_0(in %clk: !seq.clock, in %rst: i1,
// CHECK: %table0 = sv.reg {name = "table0"} : !hw.inout<!hw.uarray<16xi6>>
// CHECK: sv.readmem %table0, "net_lookup_0_table0.mem", MemBaseHex
// CHECK: seq.compreg.ce %in_valid, %clk, %advance reset %rst, %{{.*}} {name = "valid"} : i1
// CHECK: hw.output
// CHECK: hw.module @net_top({{.*}}) attributes {comment = "A network on AXI4-Stream."} {
// CHECK-NOT: {{(qnn|qflow)\.}}
func.func @main(%q: tensor<1x4x1xui4>) -> tensor<1x4x1xsi6> {
  %r = qnn.call @core(%q) : (tensor<1x4x1xui4>) -> tensor<1x4x1xsi6>
  func.return %r : tensor<1x4x1xsi6>
}
func.func @core(%q: !qflow.stream<tensor<1x4x1xui4> by 1>) -> !qflow.stream<tensor<1x4x1xsi6> by 1> {
  %t = qnn.constant <tensor<1x16xsi6>, [-9, 4, 1, -30, 12, 0, 5, 31, 17, -2, -7, 8, 20, -21, 3, 6]>
  %a = qflow.lookup %q, %t low 0 : !qflow.stream<tensor<1x4x1xui4> by 1>, tensor<1x16xsi6> -> !qflow.stream<tensor<1x4x1xsi6> by 1>
  func.return %a : !qflow.stream<tensor<1x4x1xsi6> by 1>
}
