// place: include/weir/detail/sample.hpp
// expect: [C1] does not name [P1] as its partner
template <class Memory>
auto f(std::uint32_t* word) {
  // [P1] release -> [C1]: the bytes.
  Memory::store(word, 1, std::memory_order_release);
  // [P2] release -> [C1]: the other bytes.
  Memory::store(word, 1, std::memory_order_release);
  // [C1] acquire <- [P2].
  return Memory::load(word, std::memory_order_acquire);
}
