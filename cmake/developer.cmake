# SPDX-License-Identifier: MIT
# All that only developers of Weir need. A consumer's build ends before this file.

set(WEIR_BUILD test CACHE STRING
  "What to build. Default: test. Values: test (tests, examples), demo (examples), bench (benchmarks).")
set_property(CACHE WEIR_BUILD PROPERTY STRINGS test demo bench)
if(NOT WEIR_BUILD MATCHES "^(test|demo|bench)$")
  message(FATAL_ERROR "WEIR_BUILD is '${WEIR_BUILD}'; it must be test, demo or bench")
endif()

include(cmake/warnings.cmake)
include(cmake/sanitizers.cmake)
find_package(Threads REQUIRED)

# An executable of this repository: Weir, threads, the warnings and the chosen sanitizers.
function(weir_add_executable name)
  add_executable(${name} ${ARGN})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE weir::weir weir_warnings weir_sanitizers Threads::Threads)
endfunction()

enable_testing()
if(WEIR_BUILD STREQUAL bench)
  add_subdirectory(bench)
else()
  add_subdirectory(examples)
endif()
if(WEIR_BUILD STREQUAL test)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set_target_properties(weir PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  include(cmake/single_header.cmake)
  add_subdirectory(tests)
endif()
