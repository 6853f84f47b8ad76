// place: include/weir/detail/sample.hpp
// expect: a fence needs its table
template <class Memory>
void f() {
  // [P1] fence(seq_cst): the announcement is visible before the look; pairs with [P1].
  Memory::fence(std::memory_order_seq_cst);
}
