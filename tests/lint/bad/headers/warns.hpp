// place: include/weir/cache_line.hpp
// expect: does not compile alone
#pragma once
inline unsigned char narrow(int value) { return value; }
