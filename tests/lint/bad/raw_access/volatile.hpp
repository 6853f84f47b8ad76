// place: include/weir/record.hpp
// expect: volatile outside the Memory policy
inline auto f(const unsigned* word) { return *static_cast<const volatile unsigned*>(word); }
