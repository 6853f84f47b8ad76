// place: include/weir/detail/sample.hpp
// expect: the order must be written out
template <class Memory>
auto f(std::uint32_t* word, std::memory_order order) {
  return Memory::load(word, order);
}
