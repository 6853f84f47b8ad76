// place: include/weir/cache_line.hpp
// expect: does not compile alone
#pragma once
inline std::string text;
