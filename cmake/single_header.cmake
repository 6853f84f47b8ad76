# SPDX-License-Identifier: MIT
# weir_single_header: the whole library in one file of the build tree, single/weir/weir.hpp.
get_target_property(headers weir HEADER_SET)
set(single_dir ${PROJECT_BINARY_DIR}/single)
add_custom_command(OUTPUT ${single_dir}/weir/weir.hpp
  COMMAND Python3::Interpreter cmake/single_header.py include ${single_dir}/weir/weir.hpp
  DEPENDS cmake/single_header.py ${headers}
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
add_custom_target(weir_single_header DEPENDS ${single_dir}/weir/weir.hpp)
