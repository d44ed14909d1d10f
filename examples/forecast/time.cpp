#include "forecast/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace forecast {

namespace {

bool is_leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/// Days from 1970-01-01 to the first of January.
long days_before_year(long year) {
  const long past = year - 1;
  return 365 * (year - 1970) + (past / 4 - 1969 / 4) - (past / 100 - 1969 / 100) + (past / 400 - 1969 / 400);
}

/// What the last digit of a number stands for, of one with a point; 0 of any other, which is exact.
double last_place(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == text.npos) return 0;
  const std::size_t end = std::min(text.find_first_of("eE"), text.size());
  double exponent = 0;
  if (end < text.size()) exponent = number(text.substr(end + 1)).value_or(0);
  return std::pow(10, exponent - static_cast<double>(end - point - 1));
}

int day_of_year(const Time& time) {
  int result = time.day - 1;
  for (Time before{.kind = time.kind, .year = time.year}; before.month < time.month; ++before.month)
    result += before.days_in_month();
  return result;
}

/// Days from 1970-01-01, by the calendar of the place.
long day_number(const Time& time) { return days_before_year(time.year) + day_of_year(time); }

/// Reads a text from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }
  bool take(std::string_view any_of) {
    if (done() || any_of.find(text_[0]) == any_of.npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A whole number of so many digits, or nothing.
  std::optional<int> digits(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    while (count < text_.size() && text_[count] >= '0' && text_[count] <= '9') ++count;
    if (count < least || count > most) return {};
    int value = 0;
    std::from_chars(text_.data(), text_.data() + count, value);
    text_.remove_prefix(count);
    return value;
  }
  /// Digits behind a decimal point, and what the last one stands for.
  double fraction(double& unit) {
    double value = 0;
    for (unit = 1; !done() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1)) {
      unit /= 10;
      value += unit * (text_[0] - '0');
    }
    return value;
  }

 private:
  std::string_view text_;
};

constexpr const char* not_a_time = "it is neither a time such as 1949-01, 1949-01-31 or 1949-01-31T12:00 nor a number";

/// T12:00, T12:00:00.5Z, T12:00+01:00, T12:00+01; false for anything else.
bool read_clock(Scanner& scan, Time& time) {
  const auto hour = scan.digits(1, 2);
  if (!hour || !scan.take(":")) return false;
  const auto minute = scan.digits(2, 2);
  if (!minute) return false;
  double second = 0;
  if (scan.take(":")) {
    const auto whole = scan.digits(2, 2);
    if (!whole) return false;
    second = *whole + (scan.take(".") ? scan.fraction(time.unit) : 0);
  }
  if (*hour > 23 || *minute > 59 || second >= 60) throw std::invalid_argument("there is no such time of day");
  time.second = 3600 * *hour + 60 * *minute + second;
  if (scan.take("Z") || scan.done()) return scan.done();
  const bool east = scan.take("+");
  if (!east && !scan.take("-")) return false;
  std::optional<int> hours, minutes = 0;
  if (const auto both = scan.digits(4, 4)) {
    hours = *both / 100;
    minutes = *both % 100;
  } else {
    hours = scan.digits(2, 2);
    if (scan.take(":")) minutes = scan.digits(2, 2);
  }
  if (!hours || !minutes || !scan.done()) return false;
  if (*hours > 18 || *minutes > 59) throw std::invalid_argument("there is no such offset from UTC");
  time.offset = (east ? 1 : -1) * (3600 * *hours + 60 * *minutes);
  return true;
}

}  // namespace

int Time::days_in_month() const {
  constexpr int days[]{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

double Time::in_years() const {
  if (kind == Kind::month) return year + (month - 1) / 12.0;
  return year + (day_of_year(*this) + (second - offset) / 86400) / (is_leap(year) ? 366 : 365);
}

const char* to_string(Time::Kind kind) {
  constexpr const char* names[]{"number", "month", "day", "time of day"};
  return names[static_cast<int>(kind)];
}

std::optional<double> number(std::string_view text) {
  if (text.starts_with('+') && !text.substr(1).starts_with('-')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

Time read_time(std::string_view text) {
  if (text.empty()) throw std::invalid_argument("the time is missing");
  if (const auto value = number(text)) return {.value = *value, .unit = last_place(text)};
  Scanner scan(text);
  Time time{.kind = Time::Kind::month};
  const auto year = scan.digits(1, 4);
  if (!year || !scan.take("-/")) throw std::invalid_argument(not_a_time);
  const auto month = scan.digits(1, 2);
  if (!month) throw std::invalid_argument(not_a_time);
  if (*year < 1000) throw std::invalid_argument("its year has not four digits; write times as 1949-01-31");
  if (*month < 1 || *month > 12) throw std::invalid_argument(fmt::format("there is no month {}", *month));
  time.year = *year;
  time.month = *month;
  if (scan.take("-/")) {
    time.kind = Time::Kind::day;
    const auto day = scan.digits(1, 2);
    if (!day) throw std::invalid_argument(not_a_time);
    if (*day < 1 || *day > time.days_in_month())
      throw std::invalid_argument(fmt::format("that month has {} days", time.days_in_month()));
    time.day = *day;
    if (scan.take("T ")) {
      time.kind = Time::Kind::moment;
      if (!read_clock(scan, time)) throw std::invalid_argument(not_a_time);
    }
  }
  if (!scan.done()) throw std::invalid_argument(not_a_time);
  time.value = 86400.0 * static_cast<double>(day_number(time)) + time.second - time.offset;
  return time;
}

double Spacing::between(const Time& a, const Time& b) const {
  if (by_month) return static_cast<double>(b.months() - a.months());
  if (a.kind == Time::Kind::number) return b.value - a.value;
  // Days by themselves, as the seconds since 1970 leave no digits for milliseconds.
  return 86400.0 * static_cast<double>(day_number(b) - day_number(a)) + (b.second - a.second) -
         (by_clock ? 0 : b.offset - a.offset);
}

std::optional<long> Spacing::missing(const Time& a, const Time& b) const {
  const double steps = between(a, b) / step, count = std::max(1.0, std::round(steps));
  // Times that are rounded take steps of one unit more or less: 1749.042, 1749.125, 1749.208, 1749.292. Numbers have
  // digits of their own alone.
  double tolerance = 1e-6 + 1.001 * unit / step;
  if (a.kind == Time::Kind::number) tolerance += 4e-16 * std::max(std::abs(a.value), std::abs(b.value)) / step;
  // Months in parts of a year are of 28 to 31 days.
  if (a.kind == Time::Kind::number && step > 0.9 / 12 && step < 1.1 / 12) tolerance += 0.1;
  if (!(count < 1e15) || !(std::abs(steps - count) < std::min(count * tolerance, 0.5))) return std::nullopt;
  return std::lround(count) - 1;
}

std::string Spacing::text(Time::Kind kind) const {
  const auto several = [](double count, const char* unit) {
    return fmt::format("{:.9g} {}{}", count, unit, count == 1 ? "" : "s");
  };
  if (kind == Time::Kind::number) return fmt::format("{:.6g}", step);
  if (by_month) return several(step, "month");
  if (std::fmod(step, 86400) == 0) return several(step / 86400, "day");
  if (std::fmod(step, 3600) == 0) return several(step / 3600, "hour");
  return several(step, "second");
}

Spacing spacing_of(const std::vector<Time>& times) {
  const auto same_kind_of_day = [&](auto day) {
    return std::all_of(times.begin(), times.end(), [&](const Time& t) {
      return t.second == times[0].second && t.day == std::min(day, t.days_in_month());
    });
  };
  int last = 1;
  for (const Time& time : times) last = std::max(last, time.day);
  const auto same = [&](auto Time::*part) {
    return std::ranges::all_of(times, [&](const Time& t) { return t.*part == times[0].*part; });
  };
  Spacing result;
  result.by_month =
      times[0].kind != Time::Kind::number && same_kind_of_day(last) && times[0].months() != times[1].months();
  result.by_clock = same(&Time::second) && !same(&Time::offset);
  for (const Time& time : times)  // zeros at the end may have been left away
    if (time.unit > 0) result.unit = result.unit > 0 ? std::min(result.unit, time.unit) : time.unit;
  std::vector<double> steps;
  for (std::size_t k = 1; k < times.size(); ++k) steps.push_back(result.between(times[k - 1], times[k]));
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>((steps.size() - 1) / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  result.step = *middle;
  return result;
}

}  // namespace forecast
