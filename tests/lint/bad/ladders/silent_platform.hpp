// place: include/weir/record.hpp
// expect: this group asks for a platform and has no #else
#if defined(__linux__)
int linux_only;
#endif
