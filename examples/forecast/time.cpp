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

int day_of_year(const Time& time) {
  int result = time.day - 1;
  for (Time before{.kind = time.kind, .year = time.year}; before.month < time.month; ++before.month)
    result += before.days_in_month();
  return result;
}

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
  /// Digits behind a decimal point.
  double fraction() {
    double value = 0, unit = 0.1;
    for (; !done() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1), unit /= 10)
      value += unit * (text_[0] - '0');
    return value;
  }

 private:
  std::string_view text_;
};

constexpr const char* not_a_time = "it is neither a time such as 1949-01, 1949-01-31 or 1949-01-31T12:00 nor a number";

/// T12:00, T12:00:00.5Z, T12:00+01:00; false for anything else.
bool read_clock(Scanner& scan, Time& time) {
  const auto hour = scan.digits(1, 2);
  if (!hour || !scan.take(":")) return false;
  const auto minute = scan.digits(2, 2);
  if (!minute) return false;
  double second = 0;
  if (scan.take(":")) {
    const auto whole = scan.digits(2, 2);
    if (!whole) return false;
    second = *whole + (scan.take(".") ? scan.fraction() : 0);
  }
  if (*hour > 23 || *minute > 59 || second >= 60) throw std::invalid_argument("there is no such time of day");
  time.second = 3600 * *hour + 60 * *minute + second;
  if (scan.take("Z") || scan.done()) return scan.done();
  const bool east = scan.take("+");
  if (!east && !scan.take("-")) return false;
  const auto hours = scan.digits(2, 2);
  scan.take(":");
  const auto minutes = scan.digits(2, 2);
  if (!hours || !minutes || !scan.done()) return false;
  time.second -= (east ? 1 : -1) * (3600 * *hours + 60 * *minutes);
  return true;
}

}  // namespace

int Time::days_in_month() const {
  constexpr int days[]{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

double Time::in_years() const {
  if (kind == Kind::month) return year + (month - 1) / 12.0;
  return year + (day_of_year(*this) + second / 86400) / (is_leap(year) ? 366 : 365);
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
  if (const auto value = number(text)) return {.value = *value};
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
  time.value = 86400.0 * static_cast<double>(days_before_year(time.year) + day_of_year(time)) + time.second;
  return time;
}

double Spacing::between(const Time& a, const Time& b) const {
  return by_month ? static_cast<double>(b.months() - a.months()) : b.value - a.value;
}

long Spacing::missing(const Time& a, const Time& b) const {
  const double steps = between(a, b) / step;
  // Numbers may be rounded, as the years of months are: 1749.042, 1749.123.
  const double tolerance = a.kind == Time::Kind::number ? 0.5 : 1e-6;
  if (steps > 1 - tolerance && steps < 1 + tolerance) return 0;
  return steps < 1 ? -1 : std::max(1L, std::lround(steps) - 1);
}

std::string Spacing::text(Time::Kind kind) const {
  const auto several = [](double count, const char* unit) {
    return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s");
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
  Spacing result;
  result.by_month =
      times[0].kind != Time::Kind::number && same_kind_of_day(last) && times[0].months() != times[1].months();
  std::vector<double> steps;
  for (std::size_t k = 1; k < times.size(); ++k) steps.push_back(result.between(times[k - 1], times[k]));
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>((steps.size() - 1) / 2);
  std::nth_element(steps.begin(), middle, steps.end());
  result.step = *middle;
  return result;
}

}  // namespace forecast
