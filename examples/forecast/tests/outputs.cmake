# A small run: what it prints and writes, and that a seed decides every bit of the weights.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

find_program(gnuplot gnuplot)
set(pictures "")
if(gnuplot)
  set(pictures forecast.svg loss.svg)
endif()

foreach(run first again)
  forecast(0 "epoch   1/2  loss [0-9.]+  val [0-9.]+  .grad. +[0-9.]+  [0-9]+:[0-9][0-9] left\n.*worst +1[3-6][.].*24 +241"
    ${small} --seed 3 --output ${folder}/${run})
  expect_files(${folder}/${run} ${pictures} metrics.json weights.json)
endforeach()
# Into a folder that has results already.
forecast(0 "" ${small} --seed 4 --output ${folder}/again)
expect_files(${folder}/again ${pictures} metrics.json weights.json)
forecast(0 "" ${small} --seed 3 --output ${folder}/third)

foreach(run first third again)
  file(READ ${folder}/${run}/weights.json ${run})
  string(JSON ${run}_parameters GET "${${run}}" parameters)
endforeach()
if(NOT first STREQUAL third OR first_parameters STREQUAL again_parameters)
  message(FATAL_ERROR "weights.json must be the same for the same seed, and differ for another")
endif()
string(JSON shape GET "${first}" parameters lstm.weight_ih_l1 shape)
string(JSON window GET "${first}" metadata window)
if(NOT shape MATCHES "24,[ \n]*6" OR NOT window STREQUAL "24")
  message(FATAL_ERROR "unexpected shape ${shape} or window ${window} in weights.json")
endif()

file(READ ${folder}/first/metrics.json metrics)
foreach(horizon 1 12 24)
  foreach(method model persistence seasonal_naive)
    string(JSON ${method}_${horizon} GET "${metrics}" horizons ${horizon} ${method})
  endforeach()
  if(NOT model_${horizon} GREATER 0)
    message(FATAL_ERROR "the error of the model is ${model_${horizon}}")
  endif()
endforeach()
# Computed from the file with another program.
foreach(expected persistence_1=18.0813 persistence_12=35.5954 persistence_24=54.7823 seasonal_naive_1=43.2790
        seasonal_naive_12=43.5131 seasonal_naive_24=44.4685)
  string(REGEX MATCH "(.*)=(.*)" unused ${expected})
  string(FIND "${${CMAKE_MATCH_1}}" "${CMAKE_MATCH_2}" position)
  if(NOT position EQUAL 0)
    message(FATAL_ERROR "${CMAKE_MATCH_1} is ${${CMAKE_MATCH_1}}, expected ${CMAKE_MATCH_2}")
  endif()
endforeach()
# With a season of 12 months the last known value of the season is, 12 and 24 months ahead, the last known value.
forecast(0 "12 +253 .* 35[.]60 +35[.]60\n +24 +241 .* 54[.]78 +54[.]78\n" ${small} --season 12 --output ${folder}/yearly)

string(JSON digits GET "${metrics}" gradient_digits)
string(JSON seed GET "${metrics}" seed)
string(JSON seconds GET "${metrics}" seconds)
if(digits LESS 12 OR NOT seed EQUAL 3 OR NOT seconds GREATER 0)
  message(FATAL_ERROR "unexpected metrics: ${metrics}")
endif()

foreach(picture ${pictures})
  file(READ ${folder}/first/${picture} svg)
  if(NOT svg MATCHES "<svg.*</svg>")
    message(FATAL_ERROR "${picture} is not a complete picture")
  endif()
endforeach()

# Without gnuplot, and with one that fails half-way.
file(MAKE_DIRECTORY ${folder}/bin)
set(ENV{PATH} ${folder}/bin)
forecast(0 "no pictures: gnuplot is not installed\n" ${small} --output ${folder}/bare)
expect_files(${folder}/bare metrics.json weights.json)
file(WRITE ${folder}/bin/gnuplot [[#!/bin/sh
while read -r word option value; do if [ "$option" = output ]; then eval "echo '<svg' > $value"; fi; done
exit 1
]])
file(CHMOD ${folder}/bin/gnuplot PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
forecast(0 "forecast: gnuplot failed; pictures are missing\n" ${small} --output ${folder}/failed)
expect_files(${folder}/failed metrics.json weights.json)
