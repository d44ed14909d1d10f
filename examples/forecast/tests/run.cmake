# What the tests of `forecast` share: cmake -D PROGRAM=... -D DATA=... -P test.cmake

set(small --data ${DATA} --epochs 2 --hidden 6 --layers 2 --window 24 --rollout 6 --batch 512)

# forecast(<status> <regex> <argument>...)
# Runs the program, which must end with the status and print the text, to either stream.
function(forecast status regex)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE got OUTPUT_VARIABLE output ERROR_VARIABLE error)
  if(NOT got STREQUAL status)
    message(FATAL_ERROR "expected exit status ${status}, got ${got} from ${ARGN}:\n${output}${error}")
  endif()
  if(NOT "${output}${error}" MATCHES "${regex}")
    message(FATAL_ERROR "no \"${regex}\" in the output of ${ARGN}:\n${output}${error}")
  endif()
endfunction()

# expect_files(<folder> <name>...): these and no others.
function(expect_files folder)
  file(GLOB found RELATIVE ${folder} ${folder}/* ${folder}/.*)
  list(SORT found)
  list(SORT ARGN)
  if(NOT found STREQUAL ARGN)
    message(FATAL_ERROR "expected \"${ARGN}\" in ${folder}, found \"${found}\"")
  endif()
endfunction()

# A folder of this run's own, empty.
set(folder ${CMAKE_CURRENT_BINARY_DIR}/output)
file(REMOVE_RECURSE ${folder})

# rejects(<contents of a file> <the error, after "forecast: bad.csv: "> <argument>...)
function(rejects contents error)
  file(WRITE bad.csv "${contents}")
  string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern "forecast: bad.csv: ${error}\n")
  forecast(2 "^${pattern}$" --data bad.csv --output ${folder} ${ARGN})
endfunction()
