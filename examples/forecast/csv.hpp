// Reads one series from a CSV file: a header, then a time and numbers on every row.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "forecast/time.hpp"

namespace forecast {

/// Something is wrong with what the user gave: one sentence that says what, and where.
struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Series {
  std::filesystem::path file;
  std::string name;                ///< of the values, from the header
  std::size_t column;              ///< where they are, from 1 on
  std::vector<std::string> times;  ///< the first column; row numbers if the file has no other
  std::vector<double> values;
  std::vector<std::size_t> lines;  ///< where each value is, from 1 on
  std::vector<Time> when = {};     ///< the times, read; numbers from 1 on if the file has no other
  bool newest_first = false;       ///< in the file; here the oldest is the first

  std::size_t size() const { return values.size(); }
  /// "sunspots.csv: line 17, column 2": where value k is, or the first line after the last one.
  std::string place(std::size_t k) const;
};

/// The values of the column that the header calls `column`, or of the last column. Fields are separated by commas and
/// may be quoted; empty lines at the end are allowed. Rows may be the oldest first or the newest first.
/// Throws InputError, naming file, line and column, for a file that can not be read or is no UTF-8 text, no or an
/// ambiguous header, a row with another number of columns than the header, a value that is not a finite number, a time
/// that is none, of another kind than the others, or there twice, rows in no order, and times that are left out.
Series read_csv(const std::filesystem::path& file, const std::string& column = {});

}  // namespace forecast
