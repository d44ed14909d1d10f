# Every way in which a data file or an option can be wrong: one sentence with the place, exit status 2, nothing written.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

rejects("" "line 1, column 1: the file is empty; it should start with a header such as \"month,value\"")
rejects("2000-01,1\n2000-02,2\n"
  "line 1, column 2: \"1\" is a number where the header should be; add a first line such as \"month,value\"")
rejects("month,value,value\n2000-01,1,2\n" "line 1, column 3: the header calls column 2 \"value\" too")
rejects("month,,value\n2000-01,1,2\n" "line 1, column 2: the header has no name for this column")
rejects("month,value\n2000-01,1\n" "line 1, column 2: the header has no column \"spots\", only month, value"
  --column spots)
rejects("month,value\n2000-01,1\n2000-02\n" "line 3, column 1: the row has 1 column, the header 2")
rejects("month,value\n2000-01,1\n2000-02,2,3\n" "line 3, column 3: the row has 3 columns, the header 2")
rejects("month,value\n2000-01,1\n\n2000-03,3\n" "line 3, column 1: the line is empty")
rejects("month,value\r\n2000-01,1\r\n2000-02,many\r\n" "line 3, column 2: \"many\" is not a finite number")
rejects("month,value\n2000-01,1e\n" "line 2, column 2: \"1e\" is not a finite number")
rejects("month,value\n2000-01,nan\n" "line 2, column 2: \"nan\" is not a finite number")
rejects("month,value\n2000-01,1e400\n" "line 2, column 2: \"1e400\" is not a finite number")
rejects("month,value\n2000-01,\n" "line 2, column 2: the value is missing")
rejects("month,value\n\"2000-01\",\"1\n" "line 2, column 2: the quote is not closed on its line")
rejects("month,value\n\"2000\"-01,1\n" "line 2, column 1: there is text after the closing quote")
rejects("month,value\n2000-01,1\n2000-01,2\n" "line 3, column 1: \"2000-01\" is on line 2 too")
rejects("month,value\n2000-01,1\n2000-02,2\n"
  "line 4, column 2: the series ends after 2 values, but a window of 132, a rollout of 24, 264 months of validation and \
264 of test need at least 684")

# A series of 100 values that is long enough for these options.
set(short --window 10 --rollout 6 --validation-months 24 --test-months 24 --epochs 1)
foreach(k RANGE 1 100)
  string(APPEND rising "${k},${k}.5\n")
  string(APPEND constant "${k},7\n")
endforeach()
rejects("month,value\n${constant}"
  "line 53, column 2: the 52 values of the training part, which ends here, are all equal; there is nothing to learn"
  ${short})
string(REPLACE ".5\n" ".5e300\n" huge "${rising}")
rejects("month,value\n${huge}"
  "line 53, column 2: the 52 values of the training part, which ends here, are too large to be scaled"
  --transform none ${short})
# Numbers so small or so large that their squares are 0 or infinite have errors all the same, or are refused.
foreach(exponent -250 300)
  string(REPLACE ".5\n" ".5e${exponent}\n" extreme "${rising}")
  file(WRITE extreme.csv "month,value\n${extreme}")
  forecast(0 " 1 +24 +[0-9.]+e[+-][0-9]+ +1[.]00e[+-][0-9]+ +1[.]20e[+-][0-9]+\n" --data extreme.csv --output ${folder} --hidden 2
    --season 12 ${short})
endforeach()
string(REPLACE ".5\n" ".5e-310\n" tiny "${rising}")
rejects("month,value\n${tiny}" "line 53, column 2: the 52 values of the training part, which ends here, are too close to one \
another to be scaled; give them in a smaller unit" ${short})
file(REMOVE_RECURSE ${folder})
string(REPLACE "90,90.5" "90,-90.5" negative "${rising}")
rejects("month,value\n${negative}" "line 91, column 2: -90.5 has no square root; pass --transform none" ${short})
rejects("month,value\n${rising}" "line 77, column 2: the 76 values before the test part are fewer than a season of 132"
  ${short})

forecast(2 "^forecast: can not read missing.csv: No such file or directory\n$" --data missing.csv --output ${folder})
forecast(2 "^forecast: can not read .*: it is a folder\n$" --data . --output ${folder})
execute_process(COMMAND rm -f pipe COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND mkfifo pipe COMMAND_ERROR_IS_FATAL ANY)
forecast(2 "^forecast: can not read pipe: it is a pipe, not a regular file" --data pipe --output ${folder})
forecast(2 "^forecast: a rollout of 30 months does not fit into 24 months of validation\n$"
  --data ${DATA} --output ${folder} --rollout 30 --validation-months 24)
forecast(2 "--test-months: Value 23 not in range" --data ${DATA} --output ${folder} --test-months 23)
forecast(2 "--learning-rate: nan is not a finite number" --data ${DATA} --output ${folder} --learning-rate nan)
forecast(2 "--seed: 010 is no whole number" --data ${DATA} --output ${folder} --seed 010)
forecast(2 "--no-such-option" --data ${DATA} --output ${folder} --no-such-option)
if(EXISTS ${folder})
  message(FATAL_ERROR "a run that can not start must not create a folder")
endif()

file(TOUCH occupied)
forecast(2 "^forecast: can not write to occupied: " ${small} --output occupied)
file(MAKE_DIRECTORY taken/metrics.json)
forecast(2 "^forecast: can not write taken/metrics.json: there is something that is no file\n$" ${small} --output taken)
forecast(1 "forecast: training diverged in epoch 1" ${small} --output ${folder} --learning-rate 1e30)
expect_files(${folder})

# The same columns and values in another spelling are fine: quotes, spaces, a byte order mark, no newline at the end.
string(REGEX REPLACE "([0-9]+),([0-9.]+)\n" "\"\\1\" , \"\\2\", x\r\n" spelled "${rising}")
string(ASCII 239 187 191 mark)
string(STRIP "${spelled}" spelled)
file(WRITE good.csv "${mark}\"month\", \"the \"\"value\"\"\",other\r\n${spelled}")
forecast(0 "^the \"value\" of good.csv\n  training +52 values, 1 to 52\n" --data good.csv --column "the \"value\""
  --output ${folder} --hidden 2 --season 12 ${short})
