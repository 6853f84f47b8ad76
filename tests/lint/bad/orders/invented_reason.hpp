// place: include/weir/detail/sample.hpp
// expect: not a reason for relaxed: faster
template <class Memory>
auto f(std::uint32_t* word) {
  // relaxed: faster
  return Memory::load(word, std::memory_order_relaxed);
}
