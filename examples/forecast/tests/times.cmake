# Rows in no order, times that are left out or wrong, and files that are spelled in another way: each is said for what
# it is, with the line, or read rightly.
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

# Order.
rejects("month,v\n2000-01,1\n2000-03,3\n2000-02,2\n"
  "line 4, column 1: \"2000-02\" comes after \"2000-03\" of line 3, and the rows before are the oldest first; sort them by \
time")
rejects("month,v\n2000-03,1\n2000-02,3\n2000-04,2\n"
  "line 4, column 1: \"2000-04\" comes after \"2000-02\" of line 3, and the rows before are the newest first; sort them by \
time")
rejects("month,v\n2000-01,1\n2000-02,3\n2000-1,2\n" "line 4, column 1: \"2000-1\" is on line 2 too")
rejects("t,v\n2000-01-01T01:00+01:00,1\n2000-01-01T00:00Z,1\n"
  "line 3, column 1: \"2000-01-01T00:00Z\" is on line 2 too")

# Gaps.
rejects("month,v\n2000-01,1\n2000-02,2\n2000-03,3\n2000-05,5\n2000-08,8\n"
  "line 5, column 1: \"2000-05\" follows \"2000-03\" of line 4: at a step of 1 month, 1 time is left out there, and 3 in \
2 gaps in all; give every time a value")
rejects("day,v\n2000-02-27,1\n2000-02-28,2\n2000-03-01,3\n"
  "line 4, column 1: \"2000-03-01\" follows \"2000-02-28\" of line 3: at a step of 1 day, 1 time is left out there; \
give every time a value")
rejects("hour,v\n2000-01-01 22:00,1\n2000-01-01 23:00,1\n2000-01-02 00:00,1\n2000-01-02 02:00,1\n"
  "line 5, column 1: \"2000-01-02 02:00\" follows \"2000-01-02 00:00\" of line 4: at a step of 1 hour, 1 time is left out \
there; give every time a value")
rejects("year,v\n1700,1\n1701,1\n1702,1\n1704,1\n"
  "line 5, column 1: \"1704\" follows \"1702\" of line 4: at a step of 1, 1 time is left out there; give every time a \
value")
rejects("month,v\n2000-01-31,1\n2000-02-29,2\n2000-03-31,3\n2000-05-31,5\n"
  "line 5, column 1: \"2000-05-31\" follows \"2000-03-31\" of line 4: at a step of 1 month, 1 time is left out there; \
give every time a value")

# Steps. A series whose times are fine is too short for the rest.
function(accepts times)
  list(LENGTH times count)
  math(EXPR line "${count} + 2")
  list(JOIN times ",1\n" text)
  rejects("t,v\n${text},1\n" "line ${line}, column 2: the series ends after ${count} values, but a window of 132, a rollout \
of 24, 264 months of validation and 264 of test need at least 684")
endfunction()
# Tenths and thousandths of a second, and thirds that are rounded.
accepts("2020-01-01T00:00:00.0;2020-01-01T00:00:00.1;2020-01-01T00:00:00.2;2020-01-01T00:00:00.3;2020-01-01T00:00:00.4")
accepts("2020-01-01T23:59:59.998Z;2020-01-01T23:59:59.999Z;2020-01-02T00:00:00.000Z;2020-01-02T00:00:00.001Z")
accepts("2020-01-01T00:00:00.00;2020-01-01T00:00:00.33;2020-01-01T00:00:00.67;2020-01-01T00:00:01.00")
rejects("t,v\n2020-01-01T00:00:00.001,1\n2020-01-01T00:00:00.002,1\n2020-01-01T00:00:00.003,1\n2020-01-01T00:00:00.005,1\n"
  "line 5, column 1: \"2020-01-01T00:00:00.005\" follows \"2020-01-01T00:00:00.003\" of line 4: at a step of 0.001 seconds, \
1 time is left out there; give every time a value")
# Clocks that are put forward and back; the same hour of every day, and of every month.
accepts("2020-03-27T00:00+01:00;2020-03-28T00:00+01:00;2020-03-29T00:00+01:00;2020-03-30T00:00+02:00")
accepts("2020-10-24T00:00+02;2020-10-25T00:00+02;2020-10-26T00:00+01;2020-10-27T00:00+01")
accepts("2000-03-01T00:00:00+01:00;2000-04-01T00:00:00+02:00;2000-05-01T00:00:00+02:00;2000-06-01T00:00:00+02:00")
accepts("2020-03-29T00:00+01:00;2020-03-29T01:00+01:00;2020-03-29T03:00+02:00;2020-03-29T04:00+02:00")
rejects("t,v\n2020-03-27T00:00+01:00,1\n2020-03-28T00:00+01:00,1\n2020-03-30T00:00+02:00,1\n2020-03-31T00:00+02:00,1\n"
  "line 4, column 1: \"2020-03-30T00:00+02:00\" follows \"2020-03-28T00:00+01:00\" of line 3: at a step of 1 day, 1 time is \
left out there; give every time a value")
# Numbers: parts of a year, rounded and as long as months are, and floating point.
accepts("1749.042;1749.125;1749.208;1749.292;1749.375")
accepts("1749.042;1749.123;1749.204;1749.288;1749.371;1749.455;1749.538;1749.623")
accepts("0.0;0.1;0.2;0.30000000000000004;0.4;0.5;0.6;0.7;0.7999999999999999")
accepts("1577836800;1577840400;1577844000")
# uneven(<times> <row> <step>): the row, from 0 on, is at no whole number of steps.
function(uneven times row step)
  list(GET times ${row} at)
  math(EXPR line "${row} + 2")
  math(EXPR previous "${row} + 1")
  math(EXPR row "${row} - 1")
  list(GET times ${row} before)
  list(JOIN times ",1\n" text)
  rejects("t,v\n${text},1\n" "line ${line}, column 1: \"${at}\" is not a whole number of steps after \"${before}\" of line \
${previous}, and the step of most rows is ${step}; give all rows the same step")
endfunction()
uneven("0;3600;5500;7200;10800;14400" 2 3600)
uneven("0;3600;8700;12300;15900" 2 3600)
uneven("0.0;1.4;2.8;3.5;4.2;5.6;7.0" 3 1.4)
uneven("0;2;4;7;9;11;13" 3 2)
uneven("2020-01-01T00:00;2020-01-01T01:00;2020-01-01T02:20;2020-01-01T03:20;2020-01-01T04:20" 2 "1 hour")
# A count of the rows says nothing about what is left out.
rejects(",month,v\n0,2000-01,1\n1,2000-02,2\n2,2000-04,3\n3,2000-05,3\n"
  "line 4, column 2: \"2000-04\" follows \"2000-02\" of line 3: at a step of 1 month, 1 time is left out there; give every \
time a value")

# Times.
set(form "it is neither a time such as 1949-01, 1949-01-31 or 1949-01-31T12:00 nor a number")
rejects("month,v\n2001-13,1\n" "line 2, column 1: \"2001-13\": there is no month 13")
rejects("day,v\n2001-02-28,1\n2001-02-30,1\n" "line 3, column 1: \"2001-02-30\": that month has 28 days")
rejects("day,v\n1900-02-29,1\n" "line 2, column 1: \"1900-02-29\": that month has 28 days")
rejects("hour,v\n2001-02-28T24:00,1\n" "line 2, column 1: \"2001-02-28T24:00\": there is no such time of day")
foreach(offset +05:99 +99:00 -0199)
  rejects("hour,v\n2001-02-28T12:00${offset},1\n"
    "line 2, column 1: \"2001-02-28T12:00${offset}\": there is no such offset from UTC")
endforeach()
rejects("hour,v\n2001-02-28T12:00+1,1\n" "line 2, column 1: \"2001-02-28T12:00+1\": it is neither a time such as 1949-01, \
1949-01-31 or 1949-01-31T12:00 nor a number")
rejects("month,v\n49-01,1\n" "line 2, column 1: \"49-01\": its year has not four digits; write times as 1949-01-31")
rejects("month,v\nJan 2001,1\n" "line 2, column 1: \"Jan 2001\": ${form}")
rejects("month,v\n2001-01x,1\n" "line 2, column 1: \"2001-01x\": ${form}")
rejects("month,v\n,1\n" "line 2, column 1: the time is missing")
rejects("month,v\n2001-01,1\n2001-02-01,1\n"
  "line 3, column 1: \"2001-02-01\" is a day, and \"2001-01\" of line 2 a month")
rejects("2000-01,nan\n"
  "line 1, column 1: \"2000-01\" is a time where the header should be; add a first line such as \"month,value\"")

# Numbers.
rejects("month,v\n2001-01,+-1\n" "line 2, column 2: \"+-1\" is not a finite number")
rejects("month,v\n2001-01,+\n" "line 2, column 2: \"+\" is not a finite number")
rejects("month,v\n2001-01,+inf\n" "line 2, column 2: \"+inf\" is not a finite number")
rejects("month,v\n2001-01,1e-400\n"
  "line 2, column 2: \"1e-400\" is too close to 0 for a number of double precision")
rejects("month,v\n2001-01,\"58,5\"\n" "line 2, column 2: \"58,5\" has a decimal comma; write 58.5")
rejects("month,v\n2001-01,58,5\n"
  "line 2, column 3: the row has 3 columns, the header 2; if 58,5 is one number, write 58.5")
set(comma "has a comma, which may be a thousands separator or a decimal comma; write plain digits with a point")
foreach(value 1,000 -12,345 1,234,567 1,234.5 1.234,5)
  rejects("month,v\n2001-01,\"${value}\"\n" "line 2, column 2: \"${value}\" ${comma}")
endforeach()
rejects("month,v\n2001-01,1,000\n"
  "line 2, column 3: the row has 3 columns, the header 2; if 1,000 is one number, it ${comma}")
rejects("month,v\n2001-01,\"0,125\"\n" "line 2, column 2: \"0,125\" has a decimal comma; write 0.125")

# What is no text does not reach the terminal.
string(ASCII 27 escape)
string(ASCII 7 bell)
rejects("month,v\n2001-01,${escape}[31mred${bell}\n" "line 2, column 2: \"\\x1b[31mred\\x07\" is not a finite number")
rejects("month,${escape}v\n2001-01,1\n" "line 1, column 2: the header has no column \"w\", only month, \\x1bv" --column w)
rejects("month,v\r\r\n2001-01,1\r\r\n" "line 2, column 2: \"1\\r\" is not a finite number")

# Separators and encodings. (A ; in a list of CMake needs a backslash.)
rejects("month\tv\n2001-01\t58.5\n" "line 1, column 1: \"month\\tv\" has tabs between its fields; put commas there")
rejects("month,v\n2001-01\t58.5\n"
  "line 2, column 1: the row has 1 column, the header 2; \"2001-01\\t58.5\" has tabs between its fields; put commas there")
rejects("v\n1|2\n" "line 2, column 1: \"1|2\" has bars between its fields; put commas there")
forecast(2 "^forecast: .*semicolons.csv: line 1, column 1: \"month.v\" has semicolons between its fields; put commas there\n$"
  --data ${CMAKE_CURRENT_LIST_DIR}/semicolons.csv --output ${folder})
foreach(form utf32_le utf32_be)
  forecast(2 "^forecast: [^\n]*${form}.csv: the file is UTF-32 text; save it as UTF-8\n$"
    --data ${CMAKE_CURRENT_LIST_DIR}/${form}.csv --output ${folder})
endforeach()
foreach(order le be le_without_mark)
  forecast(2 "^forecast: [^\n]*utf16_${order}.csv: the file is UTF-16 text; save it as UTF-8\n$"
    --data ${CMAKE_CURRENT_LIST_DIR}/utf16_${order}.csv --output ${folder})
endforeach()
forecast(2 "^forecast: [^\n]*nul.csv: byte 18 is 0: the file is not UTF-8 text, or is damaged\n$"
  --data ${CMAKE_CURRENT_LIST_DIR}/nul.csv --output ${folder})

# 96 months, as they come and the newest first, with signs; the split and the weights are the same.
set(short --window 10 --rollout 6 --validation-months 24 --test-months 24 --epochs 1 --hidden 2 --season 12)
set(rows "")
foreach(k RANGE 0 95)
  math(EXPR year "2000 + ${k} / 12")
  math(EXPR month "101 + ${k} % 12")
  string(SUBSTRING ${month} 1 2 month)
  math(EXPR value "(${k} * ${k}) % 37")
  list(APPEND rows "${year}-${month},+${value}.5")
endforeach()
foreach(order oldest newest)
  list(JOIN rows "\n" text)
  file(WRITE ${order}.csv "month,v\n${text}\n\n\n")
  list(REVERSE rows)
endforeach()
forecast(0 "^v of oldest.csv\n  training +48 values, 2000-01 to 2003-12\n" --data oldest.csv --output ${folder}/oldest
  ${short})
forecast(0 "^v of newest.csv, whose rows are the newest first: they are taken the other way round\n  training +48 values, \
2000-01 to 2003-12\n" --data newest.csv --output ${folder}/newest ${short})
file(READ ${folder}/oldest/weights.json one)
file(READ ${folder}/newest/weights.json other)
if(NOT one STREQUAL other)
  message(FATAL_ERROR "the order of the rows changes the weights")
endif()

# Days have places of their own on the axis of time: 96 of them, in three months.
find_program(gnuplot gnuplot)
set(days "day,v\n")
set(month 1)
set(day 0)
foreach(k RANGE 0 95)
  math(EXPR day "${day} + 1")
  if((month EQUAL 1 AND day EQUAL 32) OR (month EQUAL 2 AND day EQUAL 29) OR (month EQUAL 3 AND day EQUAL 32))
    math(EXPR month "${month} + 1")
    set(day 1)
  endif()
  math(EXPR value "(${k} * ${k}) % 37")
  string(APPEND days "2001/${month}/${day},${value}\n")
endforeach()
file(WRITE days.csv "${days}")
forecast(0 "^v of days.csv\n  training +48 values, 2001/1/1 to 2001/2/17\n" --data days.csv --output ${folder}/days ${short})
if(gnuplot)
  file(READ ${folder}/days/forecast.svg picture)
  # The truth, 25 days, is the first curve.
  if(NOT picture MATCHES "days since 2001/3/13")
    message(FATAL_ERROR "the axis of the picture is not in days")
  endif()
endif()

file(APPEND newest.csv "1999-13,1\n")
forecast(2 "newest.csv: line [0-9]+, column 1: the line is empty" --data newest.csv --output ${folder}/newest ${short})
