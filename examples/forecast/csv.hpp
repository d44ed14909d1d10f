// Reads one series from a CSV file: a header, then a time and numbers on every row.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
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
  std::size_t time_column = 1;     ///< where the times are
  std::vector<std::string> times;  ///< as they are written; row numbers if the file has no column for them
  std::vector<double> values;
  std::vector<std::size_t> lines;  ///< where each value is, from 1 on
  std::vector<Time> when = {};     ///< the times, read
  bool newest_first = false;       ///< in the file; here the oldest is the first

  std::size_t size() const { return values.size(); }
  /// "sunspots.csv: line 17, column 2": where value k is, or the first line after the last one.
  std::string place(std::size_t k) const;
};

/// A text from a file as it may stand in a message: control characters, which could move the cursor, as \x1b.
std::string printable(std::string_view text);

/// The values of the column that the header calls `column`, or of the last column. Fields are separated by commas and
/// may be quoted; empty lines at the end are allowed. Rows may be the oldest first or the newest first. Times are in
/// the first column, or in the second, where they are dates and the first counts the rows from 0 or 1 on.
/// Throws InputError, naming file, line and column, for a file that can not be read or is no UTF-8 text, no or an
/// ambiguous header, a row with another number of columns than the header, a value that is not a finite number, a time
/// that is none, of another kind than the others, or there twice, rows in no order, and times that are left out or have
/// no even step.
Series read_csv(const std::filesystem::path& file, const std::string& column = {});

}  // namespace forecast
