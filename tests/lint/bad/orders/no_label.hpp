// place: include/weir/detail/sample.hpp
// expect: no label above this release access
template <class Memory>
void f(std::uint32_t* word) {
  Memory::store(word, 1, std::memory_order_release);
}
