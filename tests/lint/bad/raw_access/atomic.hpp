// place: include/weir/record.hpp
// expect: std::atomic_ref outside the Memory policy
inline void f(unsigned& word) { std::atomic_ref{word}.store(1); }
