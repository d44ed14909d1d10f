# Ctrl-C during training: a sentence, exit status 130, nothing written.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)
set(program ${PROGRAM})
set(PROGRAM timeout --preserve-status --signal=INT --kill-after=60 2 ${program})
forecast(130 "forecast: interrupted; nothing was written\n$"
  --data ${DATA} --epochs 1000000 --hidden 6 --window 24 --output ${folder})
expect_files(${folder})
