# SPDX-License-Identifier: MIT
# Configures, builds and runs one consumer project, or sees it REFUSED when it is configured.
file(REMOVE_RECURSE ${BINARY})
set(prefix ${BINARY}/prefix)
if(PROJECT STREQUAL installed)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${WEIR_BINARY} --prefix ${prefix}
    COMMAND_ERROR_IS_FATAL ANY)
endif()

execute_process(
  COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/${PROJECT} -B ${BINARY}/build -G ${GENERATOR}
    -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix}
    -D WEIR_SOURCE=${WEIR_SOURCE} -D WEIR_WANTED=${WEIR_WANTED}
  RESULT_VARIABLE result ERROR_VARIABLE output)
if(REFUSED)
  if(result EQUAL 0 OR NOT output MATCHES "requested version \"${WEIR_WANTED}\"")
    message(FATAL_ERROR "version ${WEIR_WANTED} must be refused, but:\n${output}")
  endif()
  return()
elseif(NOT result EQUAL 0)
  message(FATAL_ERROR "${output}")
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BINARY}/build COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${BINARY}/build/hello_ring COMMAND_ERROR_IS_FATAL ANY)
