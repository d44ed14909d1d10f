# What needs sums in the order they are written is refused with flags that do away with it.
#   cmake -D COMPILER=<compiler> -D SOURCE=<project> -D FLAG=<flag> -P fast_math_test.cmake
execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only -w ${FLAG} -I${SOURCE} -x c++ ${SOURCE}/autograd/values/register_functions.hpp
  RESULT_VARIABLE status
  ERROR_VARIABLE errors)
if(status EQUAL 0 OR NOT errors MATCHES "Wengert: compile what includes this without -ffast-math")
  message(FATAL_ERROR "${FLAG} is not refused:\n${errors}")
endif()
