# place: CMakeLists.txt
# expect: does not install memory.hpp
# SPDX-License-Identifier: MIT
target_sources(weir INTERFACE FILE_SET HEADERS BASE_DIRS include FILES
  include/weir/layout.hpp)
