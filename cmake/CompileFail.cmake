# SPDX-License-Identifier: MIT
# cmake -D COMPILER=... -D INCLUDE=... -D SOURCE=... -P CompileFail.cmake
# SOURCE must not compile, and the compiler must say what the file expects: "// expect-error: <regex>".
# A file without that line must compile.
file(STRINGS ${SOURCE} expected REGEX "^// expect-error: " LIMIT_COUNT 1)
string(REPLACE "// expect-error: " "" expected "${expected}")

execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I${INCLUDE} ${SOURCE}
  RESULT_VARIABLE result ERROR_VARIABLE output)

if(expected STREQUAL "")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "must compile, but:\n${output}")
  endif()
elseif(result EQUAL 0)
  message(FATAL_ERROR "must not compile, but does")
elseif(NOT output MATCHES "${expected}")
  message(FATAL_ERROR "must fail with '${expected}', but fails with:\n${output}")
endif()
