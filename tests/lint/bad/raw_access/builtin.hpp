// place: include/weir/record.hpp
// expect: __atomic_load_n outside the Memory policy
inline auto f(const unsigned* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
