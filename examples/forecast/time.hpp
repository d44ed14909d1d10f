// Times of the rows of a series: months, days, moments, or numbers.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace forecast {

struct Time {
  enum class Kind { number, month, day, moment };

  Kind kind = Kind::number;
  int year = 0, month = 1, day = 1;  ///< of what is no number
  double second = 0;                 ///< of the day, by the clock of the place
  double offset = 0;                 ///< seconds that this clock is ahead of UTC
  double value = 0;                  ///< a number itself; of anything else the seconds since 1970-01-01 in UTC
  double unit = 0;                   ///< that the text is rounded to: that of its last digit behind the point, or 0

  long months() const { return 12L * year + month - 1; }
  int days_in_month() const;
  /// The year and the part of it that has passed.
  double in_years() const;
};

/// "month"
const char* to_string(Time::Kind kind);

/// "1749-01", "1749-01-31", "1749-01-31T12:00", "... 12:00:00Z", "... 12:00+01", with - or / between, or a number.
/// Throws std::invalid_argument that says what is wrong: a month 13, a day that there is not, a year of two digits.
Time read_time(std::string_view text);

/// A finite number that fills the whole text. A sign may be + or -.
std::optional<double> number(std::string_view text);

/// How the times of a series follow one another.
struct Spacing {
  bool by_month = false;  ///< all on the same day of their months, or on the last: the step is in months
  bool by_clock = false;  ///< all at the same time of day, by clocks that are put forward and back
  double step = 0;        ///< in months, or in the unit of Time::value
  double unit = 0;        ///< that the finest of the texts is rounded to, or 0

  /// From one time to another, in that unit.
  double between(const Time& a, const Time& b) const;
  /// How many times are left out between two neighbours; 0 for the step itself; nothing for what is no number of steps.
  std::optional<long> missing(const Time& a, const Time& b) const;
  /// "1 month", "2 days", "0.083"
  std::string text(Time::Kind kind) const;
};

/// Of times that rise, at least two: the step is the median one, the smaller of two.
Spacing spacing_of(const std::vector<Time>& times);

}  // namespace forecast
