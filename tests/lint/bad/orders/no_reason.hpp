// place: include/weir/detail/sample.hpp
// expect: no reason above this relaxed access
template <class Memory>
auto f(std::uint32_t* word) {
  // The newest value is not needed here.
  return Memory::load(word, std::memory_order_relaxed);
}
