// place: include/weir/record.hpp
// expect: this #else does nothing
#if defined(NDEBUG)
int quiet;
#else
// nothing to do
#endif
