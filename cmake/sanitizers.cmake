# SPDX-License-Identifier: MIT
# weir_sanitizers: the flags that WEIR_SANITIZE asks for; nothing by default.
set(WEIR_SANITIZE none CACHE STRING
  "Sanitizers. Values: none, address (with undefined behavior), thread, coverage (clang's, of sources).")
set_property(CACHE WEIR_SANITIZE PROPERTY STRINGS none address thread coverage)

add_library(weir_sanitizers INTERFACE)
if(WEIR_SANITIZE STREQUAL none)
  return()
elseif(WEIR_SANITIZE STREQUAL address)
  set(flags -fsanitize=address,undefined)
elseif(WEIR_SANITIZE STREQUAL thread)
  set(flags -fsanitize=thread)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ warns of every fence; under this sanitizer Weir's fences are read-modify-writes.
    target_compile_options(weir_sanitizers INTERFACE -Wno-tsan)
  endif()
elseif(WEIR_SANITIZE STREQUAL coverage)
  # One profile for each program, mapped while it runs (%c): whoever runs it counts there (%m), killed or
  # not. Processes and threads that count at the same time must not lose counts: what was never counted is a
  # difference of others.
  set(flags "-fprofile-instr-generate=${PROJECT_BINARY_DIR}/profiles/%c%m.profraw"
    -fcoverage-mapping -fprofile-update=atomic)
  target_compile_options(weir_sanitizers INTERFACE "SHELL:-mllvm -runtime-counter-relocation")
else()
  message(FATAL_ERROR
    "WEIR_SANITIZE is '${WEIR_SANITIZE}'; it must be none, address, thread or coverage")
endif()
# -O1 -g1 halves the time of a build; a report still has its lines.
target_compile_options(weir_sanitizers INTERFACE
  ${flags} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
target_link_options(weir_sanitizers INTERFACE ${flags})
