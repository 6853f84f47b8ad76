// place: include/weir/detail/sample.hpp
// expect: [P1] is defined twice
template <class Memory>
void f(std::uint32_t* word) {
  // [P1] release -> [C1]: the bytes.
  Memory::store(word, 1, std::memory_order_release);
  // [P1] release -> [C1]: the bytes.
  Memory::store(word, 1, std::memory_order_release);
}
