// place: include/weir/detail/sample.hpp
// expect: seq_cst is for fences only
template <class Memory>
void f(std::uint32_t* word) {
  // [P1] seq_cst -> [P1]: everything.
  Memory::store(word, 1, std::memory_order_seq_cst);
}
