# Runs a program and fails unless it ends with the expected status and prints the expected text (a regular expression):
#   cmake -D STATUS=2 -D OUTPUT=regex -P run_and_check.cmake -- program arguments...
set(command "")
set(in_command OFF)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(index RANGE ${last})
  if(in_command)
    list(APPEND command "${CMAKE_ARGV${index}}")
  elseif(CMAKE_ARGV${index} STREQUAL "--")
    set(in_command ON)
  endif()
endforeach()

execute_process(
  COMMAND ${command}
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE error ECHO_OUTPUT_VARIABLE ECHO_ERROR_VARIABLE)
if(NOT status STREQUAL STATUS)
  message(FATAL_ERROR "expected exit status ${STATUS}, got ${status}")
endif()
string(REGEX REPLACE "[ \n]+" " " text "${output} ${error}")  # so that wrapped messages match too
if(NOT text MATCHES "${OUTPUT}")
  message(FATAL_ERROR "the output does not match \"${OUTPUT}\"")
endif()
