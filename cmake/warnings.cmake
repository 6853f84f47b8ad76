# SPDX-License-Identifier: MIT
# weir_warnings: linked privately by what is built here, never by a consumer.
# The presets turn warnings into errors with CMAKE_COMPILE_WARNING_AS_ERROR.
add_library(weir_warnings INTERFACE)
target_compile_options(weir_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
