# SPDX-License-Identifier: MIT
# All that only developers of Weir need. A consumer's build ends before this file.

set(WEIR_BUILD test CACHE STRING
  "What to build. Default: test. Values: test (tests, examples), demo (examples), bench (benchmarks), \
model (model checker, mutants), fuzz (fuzzers), coverage (tests and how much of Weir they reach).")
set(builds test demo bench model fuzz coverage)
set_property(CACHE WEIR_BUILD PROPERTY STRINGS ${builds})
if(NOT WEIR_BUILD IN_LIST builds)
  list(JOIN builds ", " builds)
  message(FATAL_ERROR "WEIR_BUILD is '${WEIR_BUILD}'; it must be one of ${builds}")
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
if(NOT WEIR_BUILD MATCHES "^(demo|bench)$")
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()
if(WEIR_BUILD MATCHES "^(demo|test|coverage)$")
  add_subdirectory(examples)
endif()
if(WEIR_BUILD STREQUAL bench)
  add_subdirectory(bench)
elseif(WEIR_BUILD STREQUAL model)
  add_subdirectory(tests/model)
  add_subdirectory(tests/mutants)
elseif(WEIR_BUILD STREQUAL fuzz)
  add_subdirectory(tests/fuzz)
elseif(WEIR_BUILD STREQUAL coverage)
  add_subdirectory(tests)
  add_subdirectory(tests/coverage)
elseif(WEIR_BUILD STREQUAL test)
  set_target_properties(weir PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  include(cmake/single_header.cmake)
  add_subdirectory(tests)
endif()
