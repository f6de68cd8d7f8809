// RUN: qopt %s --split-input-file --verify-diagnostics -p narrow-sums | filecheck %s

// 1000 a + 999 b reaches 3001 where a + b reaches 4.
// CHECK-LABEL: func.func @factors_of_one
func.func @factors_of_one(%a: tensor<1x1xui2>, %b: tensor<1x1xui2>) -> tensor<1x1xui1> {
  %p = qnn.constant <tensor<ui10>, [1000]>
  %q = qnn.constant <tensor<ui10>, [999]>
  %t = qnn.constant <tensor<1x1xui12>, [3001]>
  // CHECK-NOT: qnn.mul
  // CHECK: %[[SUM:.*]] = qnn.add %a, %b : tensor<1x1xui2>, tensor<1x1xui2> -> tensor<1x1xsi4>
  // CHECK: %[[T:.*]] = qnn.constant <tensor<1x1xui3>, [4]>
  // CHECK: qnn.threshold %[[SUM]], %[[T]] offset 0 axis 1
  %0 = qnn.mul %a, %p : tensor<1x1xui2>, tensor<ui10> -> tensor<1x1xui12>
  %1 = qnn.mul %b, %q : tensor<1x1xui2>, tensor<ui10> -> tensor<1x1xui12>
  %2 = qnn.add %0, %1 : tensor<1x1xui12>, tensor<1x1xui12> -> tensor<1x1xsi14>
  %3 = qnn.threshold %2, %t offset 0 axis 1 : tensor<1x1xsi14>, tensor<1x1xui12> -> tensor<1x1xui1>
  func.return %3 : tensor<1x1xui1>
}

// -----

// The first threshold of channel 1 is reached by a = 3 and b = 0, not by a = 2 and b = 1.
// CHECK-LABEL: func.func @all_thresholds_of_all_channels
func.func @all_thresholds_of_all_channels(%a: tensor<1x2xui2>, %b: tensor<1x2xui2>) -> tensor<1x2xui2> {
  %p = qnn.constant <tensor<ui10>, [1000]>
  %q = qnn.constant <tensor<ui10>, [999]>
  %t = qnn.constant <tensor<2x2xui13>, [3001, 6000, 3000, 3001]>
  // CHECK: qnn.constant <tensor<ui3>, [4]>
  // CHECK: qnn.mul %a
  // CHECK: qnn.constant <tensor<ui2>, [3]>
  // CHECK: qnn.mul %b
  // CHECK: qnn.add {{.*}} -> tensor<1x2xsi6>
  // CHECK: qnn.constant <tensor<2x2xui5>, [13, 22, 12, 13]>
  %0 = qnn.mul %a, %p : tensor<1x2xui2>, tensor<ui10> -> tensor<1x2xui12>
  %1 = qnn.mul %b, %q : tensor<1x2xui2>, tensor<ui10> -> tensor<1x2xui12>
  %2 = qnn.add %0, %1 : tensor<1x2xui12>, tensor<1x2xui12> -> tensor<1x2xsi14>
  %3 = qnn.threshold %2, %t offset 0 axis 1 : tensor<1x2xsi14>, tensor<2x2xui13> -> tensor<1x2xui2>
  func.return %3 : tensor<1x2xui2>
}

// -----

// What is subtracted stays so, and a constant goes into the thresholds.
// CHECK-LABEL: func.func @difference
func.func @difference(%a: tensor<1x1xui2>, %b: tensor<1x1xui2>) -> tensor<1x1xui1> {
  %p = qnn.constant <tensor<ui9>, [299]>
  %q = qnn.constant <tensor<ui10>, [600]>
  %c = qnn.constant <tensor<ui10>, [700]>
  %t = qnn.constant <tensor<1x1xui10>, [700]>
  // CHECK: %[[TWICE:.*]] = qnn.mul %a
  // CHECK: %[[SUM:.*]] = qnn.sub %[[TWICE]], %b
  // CHECK: qnn.constant <tensor<1x1xui1>, [0]>
  %0 = qnn.mul %a, %q : tensor<1x1xui2>, tensor<ui10> -> tensor<1x1xui12>
  %1 = qnn.mul %b, %p : tensor<1x1xui2>, tensor<ui9> -> tensor<1x1xui11>
  %2 = qnn.sub %0, %1 : tensor<1x1xui12>, tensor<1x1xui11> -> tensor<1x1xsi13>
  %3 = qnn.add %2, %c : tensor<1x1xsi13>, tensor<ui10> -> tensor<1x1xsi14>
  %4 = qnn.threshold %3, %t offset 0 axis 1 : tensor<1x1xsi14>, tensor<1x1xui10> -> tensor<1x1xui1>
  func.return %4 : tensor<1x1xui1>
}

// -----

// A sum that is read elsewhere too keeps its values.
// CHECK-LABEL: func.func @read_twice
func.func @read_twice(%a: tensor<1x1xui2>, %b: tensor<1x1xui2>) -> (tensor<1x1xui1>, tensor<1x1xsi14>) {
  %p = qnn.constant <tensor<ui10>, [1000]>
  %t = qnn.constant <tensor<1x1xui12>, [3001]>
  // CHECK: qnn.constant <tensor<ui10>, [1000]>
  // CHECK: qnn.constant <tensor<1x1xui12>, [3001]>
  %0 = qnn.mul %a, %p : tensor<1x1xui2>, tensor<ui10> -> tensor<1x1xui12>
  %1 = qnn.add %0, %b : tensor<1x1xui12>, tensor<1x1xui2> -> tensor<1x1xsi14>
  %2 = qnn.threshold %1, %t offset 0 axis 1 : tensor<1x1xsi14>, tensor<1x1xui12> -> tensor<1x1xui1>
  func.return %2, %1 : tensor<1x1xui1>, tensor<1x1xsi14>
}

// -----

// 1000 a reaches 1001 where a reaches 2, and -2 b does where b does not reach -500.
// CHECK-LABEL: func.func @parts
func.func @parts(%a: tensor<1x1xui2>, %b: tensor<1x1xsi11>) -> tensor<1x2xui2> {
  %p = qnn.constant <tensor<ui10>, [1000]>
  %q = qnn.constant <tensor<si2>, [-2]>
  %t = qnn.constant <tensor<2x2xui12>, [1001, 2000, 1001, 2000]>
  // CHECK-DAG: %[[T:.*]] = qnn.constant <tensor<1x2xui2>, [2, 2]>
  // CHECK-DAG: %[[L:.*]] = qnn.threshold %a, %[[T]] offset 0 axis 1
  // CHECK-DAG: %[[U:.*]] = qnn.constant <tensor<1x2xsi11>, [-999, -500]>
  // CHECK-DAG: %[[F:.*]] = qnn.constant <tensor<1xui1>, [1]>
  // CHECK-DAG: %[[M:.*]] = qnn.threshold %b, %[[U]] falling %[[F]]
  // CHECK: qnn.concat %[[L]], %[[M]] axis 1
  %0 = qnn.mul %a, %p : tensor<1x1xui2>, tensor<ui10> -> tensor<1x1xui12>
  %1 = qnn.mul %b, %q : tensor<1x1xsi11>, tensor<si2> -> tensor<1x1xsi12>
  %2 = qnn.concat %0, %1 axis 1 : tensor<1x1xui12>, tensor<1x1xsi12> -> tensor<1x2xsi13>
  %3 = qnn.threshold %2, %t offset 0 axis 1 : tensor<1x2xsi13>, tensor<2x2xui12> -> tensor<1x2xui2>
  func.return %3 : tensor<1x2xui2>
}

// -----

// Nothing is known of how many frames there are, nor of numbers beyond 64 bits.
// CHECK-LABEL: func.func @unknown_extent
func.func @unknown_extent(%a: tensor<?x1xui2>) -> tensor<?x1xui1> {
  %p = qnn.constant <tensor<ui4>, [9]>
  %t = qnn.constant <tensor<1x1xsi16>, [7]>
  // CHECK: qnn.mul
  // CHECK: qnn.threshold
  %0 = qnn.mul %a, %p : tensor<?x1xui2>, tensor<ui4> -> tensor<?x1xui6>
  %1 = qnn.threshold %0, %t offset 0 axis 1 : tensor<?x1xui6>, tensor<1x1xsi16> -> tensor<?x1xui1>
  func.return %1 : tensor<?x1xui1>
}

// CHECK-LABEL: func.func @wide_threshold
func.func @wide_threshold(%a: tensor<1x1xui2>) -> tensor<1x1xui1> {
  %p = qnn.constant <tensor<ui4>, [9]>
  %t = qnn.constant <tensor<1x1xsi80>, [7]>
  // CHECK: qnn.mul
  // CHECK: qnn.threshold
  %0 = qnn.mul %a, %p : tensor<1x1xui2>, tensor<ui4> -> tensor<1x1xui6>
  %1 = qnn.threshold %0, %t offset 0 axis 1 : tensor<1x1xui6>, tensor<1x1xsi80> -> tensor<1x1xui1>
  func.return %1 : tensor<1x1xui1>
}

// -----

// Each channel has factors of its own: 1000 a + 2999 b reaches 3000 where 3 a + 8 b
// reaches 9, of a = 3 and not of b = 1.
// CHECK-LABEL: func.func @factors_of_channels
func.func @factors_of_channels(%a: tensor<1x2xui4>, %b: tensor<1x2xui2>) -> tensor<1x2xui2> {
  %p = qnn.constant <tensor<1x2xui10>, [1000, 700]>
  %q = qnn.constant <tensor<1x2xui13>, [2999, 5000]>
  %t = qnn.constant <tensor<2x3xui15>, [3000, 6000, 9000, 5000, 5700, 10000]>
  // CHECK: qnn.constant <tensor<1x2xui2>, [3, 2]>
  // CHECK: qnn.constant <tensor<1x2xui4>, [8, 15]>
  // CHECK: qnn.add {{.*}} -> tensor<1x2xsi8>
  // CHECK: qnn.constant <tensor<2x3xui5>, [9, 18, 27, 15, 17, 30]>
  %0 = qnn.mul %a, %p : tensor<1x2xui4>, tensor<1x2xui10> -> tensor<1x2xui14>
  %1 = qnn.mul %b, %q : tensor<1x2xui2>, tensor<1x2xui13> -> tensor<1x2xui15>
  %2 = qnn.add %0, %1 : tensor<1x2xui14>, tensor<1x2xui15> -> tensor<1x2xsi17>
  %3 = qnn.threshold %2, %t offset 0 axis 1 : tensor<1x2xsi17>, tensor<2x3xui15> -> tensor<1x2xui2>
  func.return %3 : tensor<1x2xui2>
}
