// place: include/weir/record.hpp
// expect: the last #else must be #error
#if defined(__linux__)
int first;
#elif defined(__APPLE__)
int second;
#else
int anything;
#endif
